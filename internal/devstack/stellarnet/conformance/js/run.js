// Drives a network with the official SDK: run.js RPC_URL WASM_FILE.
// What it finds goes to the test line by line, see talk.js.
import { readFile } from "node:fs/promises";
import { Operation, contract, rpc } from "@stellar/stellar-sdk";
import { airdrop, build, feeBump, fund, fundTwice, send } from "./accounts.js";
import { change, changeForOther, deploy, options, upload } from "./contract.js";
import { events, eventsNamed, ledgers, transactions } from "./history.js";
import { extend, liveUntil, restore } from "./lifetime.js";
import { ask, check, hangUp, report } from "./talk.js";

const [rpcUrl, wasmFile] = process.argv.slice(2);
const server = new rpc.Server(rpcUrl, { allowHttp: true });
const tenant = Buffer.alloc(32, 7);
const root = Buffer.alloc(32, 9);

async function network() {
  const { status } = await server.getHealth();
  const { friendbotUrl, passphrase } = await server.getNetwork();
  const version = await server.getVersionInfo();
  const latest = await server.getLatestLedger();
  check(latest.headerXdr.ledgerSeq === latest.sequence, "the header of the latest ledger");
  report("network", { status, friendbotUrl, passphrase, protocol: version.protocolVersion });
  return latest.sequence;
}

async function calls(client, admin, payer, id) {
  const hashes = [];
  check(Buffer.from((await client.tenant()).result.unwrap()).equals(tenant), "the tenant's hash");
  check((await client.latest_anchor()).result == null, "no anchor yet");
  hashes.push((await change(client.set_status({ status: 1 }))).txHash);
  hashes.push((await change(client.anchor({ seq: 5n, root }))).txHash);
  hashes.push((await changeForOther(server, id, admin, payer, 1, true)).txHash);
  hashes.push((await changeForOther(server, id, admin, payer, 0, false)).txHash);
  const anchor = (await client.latest_anchor()).result;
  const refused = (await client.anchor({ seq: 5n, root })).result;
  report("calls", {
    hashes,
    admin: (await client.admin()).result.unwrap(),
    status: (await client.status()).result.unwrap(),
    anchor: { seq: anchor.seq, root: Buffer.from(anchor.root).toString("hex"), ledger: anchor.ledger },
    refused: refused.isErr() && refused.unwrapErr().message,
  });
  return hashes;
}

/** Two transactions that both simulate well, the second of which then fails. */
async function failure(admin, id) {
  const client = await contract.Client.from({ contractId: id, ...(await options(server, admin)) });
  const { operations } = (await client.anchor({ seq: 6n, root })).built;
  check(operations.length === 1, "one operation");
  const twin = await client.anchor({ seq: 6n, root });
  await change(client.anchor({ seq: 6n, root }));
  // Simulated before, so that its sequence number alone has to be new.
  const account = await server.getAccount(admin.publicKey());
  const late = rpc.assembleTransaction(
    await build(server, admin, twin.raw.build().toEnvelope().v1.tx.operations[0]),
    twin.simulation,
  ).build();
  check(BigInt(late.sequence) === BigInt(account.sequenceNumber()) + 1n, "the next sequence number");
  late.sign(admin);
  const done = await send(server, late);
  report("failure", { status: done.status, hash: done.txHash, diagnostics: done.diagnosticEventsXdr?.length });
}

async function history(start, id, hashes) {
  const filters = [{ type: "contract", contractIds: [id] }];
  const all = await events(server, start, filters, 2);
  const named = {};
  for (const name of ["constructed", "status_set", "anchored", "admin_set"]) {
    named[name] = (await eventsNamed(server, start, id, name)).length;
  }
  const { sorobanInclusionFee: fees } = await server.getFeeStats();
  check(Number(fees.transactionCount) >= hashes.length && Number(fees.max) >= 100, "what the calls paid");
  const shown = await transactions(server, start, 3);
  check(hashes.every((h) => shown.some((t) => t.txHash === h)), "the calls among the transactions");
  report("history", {
    events: all.map((e) => ({ id: e.id, ledger: e.ledger, txHash: e.txHash })),
    named,
    transactions: shown.map((t) => t.txHash),
    ledgers: await ledgers(server, start),
  });
}

async function lifetime(admin, id) {
  const before = await liveUntil(server, id);
  const extended = await extend(server, admin, id, 3_000_000);
  check(extended.status === "SUCCESS", "an extension that succeeded");
  const after = await liveUntil(server, id);
  report("extended", { before: before.ledger, after: after.ledger, ledger: extended.ledger });
}

async function archived(client, admin, id) {
  await ask("expire", id);
  const gone = await liveUntil(server, id);
  check(gone.ledger < gone.latestLedger, "an archived instance");
  const restored = await restore(server, admin, id);
  check(restored.status === "SUCCESS", "a restoration that succeeded");
  const back = await liveUntil(server, id);
  await ask("expire", id);
  // An invocation brings back by itself what it needs.
  const restoring = await change(client.anchor({ seq: 7n, root }));
  const again = await liveUntil(server, id);
  report("restored", { ledger: restored.ledger, until: back.ledger, restoring: restoring.ledger, again: again.ledger });
}

/** What the SDK finds out about a contract that it knows the id of alone. */
async function discovery(id, wasm) {
  const methods = (await server.getContractMethods(id)).map((m) => m.name);
  const { result, isReadCall } = await server.queryContract(id, "tenant");
  check(isReadCall && Buffer.from(result.unwrap()).equals(tenant), "the tenant's hash by a query");
  check(wasm.equals(await server.getContractWasmByContractId(id)), "the code by the contract's id");
  report("discovery", methods);
}

async function feeBumps(client, admin, payer) {
  const classic = await build(server, admin, Operation.bumpSequence({ bumpTo: "0" }));
  classic.sign(admin);
  report("feeBump", await feeBump(server, payer, classic));
  const call = await client.anchor({ seq: 8n, root });
  await call.sign();
  report("callFeeBump", await feeBump(server, payer, call.signed));
}

async function main() {
  const start = await network();
  const admin = await fund(server);
  const payer = await airdrop(server);
  report("accounts", { admin: admin.publicKey(), payer: payer.publicKey(), twice: await fundTwice(server, admin) });
  const wasm = await readFile(wasmFile);
  const wasmHash = await upload(server, admin, wasm);
  const client = await deploy(server, admin, wasmHash, tenant);
  const id = client.options.contractId;
  report("deployed", { contract: id, wasmHash });
  await discovery(id, wasm);
  const hashes = await calls(client, admin, payer, id);
  await failure(admin, id);
  await history(start, id, hashes);
  await lifetime(admin, id);
  await archived(client, admin, id);
  await feeBumps(client, admin, payer);
  hangUp();
}

await main();
