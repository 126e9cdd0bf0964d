// Lifetimes: looked up, extended, and brought back when they are over.
import { Contract, Operation, SorobanDataBuilder } from "@stellar/stellar-sdk";
import { run } from "./accounts.js";
import { check } from "./talk.js";

const instance = (contractId) => new Contract(contractId).getFootprint();

export async function liveUntil(server, contractId) {
  const { entries, latestLedger } = await server.getLedgerEntries(instance(contractId));
  check(entries.length === 1, "the contract's instance");
  return { ledger: entries[0].liveUntilLedgerSeq, latestLedger };
}

export async function extend(server, key, contractId, ledgers) {
  const data = new SorobanDataBuilder().setReadOnly([instance(contractId)]).build();
  return run(server, key, Operation.extendFootprintTtl({ extendTo: ledgers }), data);
}

export async function restore(server, key, contractId) {
  const data = new SorobanDataBuilder().setReadWrite([instance(contractId)]).build();
  return run(server, key, Operation.restoreFootprint({}), data);
}
