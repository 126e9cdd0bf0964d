// What the RPC remembers: events, transactions and ledgers, page by page.
import { nativeToScVal } from "@stellar/stellar-sdk";
import { check } from "./talk.js";

const symbol = (name) => nativeToScVal(name, { type: "symbol" }).toXdr("base64");

/** All events that pass the filters, in pages of that size. */
export async function events(server, startLedger, filters, limit) {
  let page = await server.getEvents({ startLedger, filters, limit });
  const all = [];
  while (page.events.length > 0) {
    check(page.events.length <= limit, `pages of ${limit} at most`);
    all.push(...page.events);
    page = await server.getEvents({ cursor: page.cursor, filters, limit });
  }
  const ids = all.map((e) => e.id);
  check(new Set(ids).size === ids.length, "no event twice");
  check(ids.join() === [...ids].sort().join(), "events in order");
  return all;
}

/** The events of one contract by the names of their first topics. */
export const eventsNamed = (server, startLedger, contractId, name) =>
  events(server, startLedger, [
    { type: "contract", contractIds: [contractId], topics: [[symbol(name), "**"]] },
  ], 100);

/** All transactions from a ledger on, in pages of that size. */
export async function transactions(server, startLedger, limit) {
  let page = await server.getTransactions({ startLedger, pagination: { limit } });
  const all = [];
  while (page.transactions.length > 0) {
    check(page.transactions.length <= limit, `pages of ${limit} at most`);
    all.push(...page.transactions);
    page = await server.getTransactions({ pagination: { cursor: page.cursor, limit } });
  }
  return all;
}

/** Some ledgers in two pages, each holding the hash of the one before it. */
export async function ledgers(server, startLedger) {
  const first = await server.getLedgers({ startLedger, pagination: { limit: 2 } });
  const second = await server.getLedgers({ pagination: { cursor: first.cursor, limit: 2 } });
  const all = [...first.ledgers, ...second.ledgers];
  for (let i = 1; i < all.length; i++) {
    check(all[i].sequence === all[i - 1].sequence + 1, "ledgers in order");
    const previous = all[i].headerXdr.header.previousLedgerHash.toXdr("hex");
    check(previous === all[i - 1].hash, "ledgers that form a chain");
  }
  return all.map(({ sequence, hash }) => ({ sequence, hash }));
}
