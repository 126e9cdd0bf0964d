// Accounts: funded by the friendbot, and their transactions sent and awaited.
import { Keypair, TransactionBuilder } from "@stellar/stellar-sdk";
import { check } from "./talk.js";

/** Funds a new account through the friendbot that the network names. */
export async function fund(server) {
  const key = Keypair.random();
  const granted = await server.fundAddress(key.publicKey());
  check(granted.status === "SUCCESS", "a funding transaction that succeeded");
  return key;
}

/** The older way to the same end, which reads the account out of the meta. */
export async function airdrop(server) {
  const key = Keypair.random();
  const account = await server.requestAirdrop(key.publicKey());
  check(account.accountId() === key.publicKey(), "the account that was asked for");
  const { seqNum } = await server.getAccountEntry(key.publicKey());
  check(account.sequenceNumber() === String(seqNum), "the sequence number of the new account");
  return key;
}

export async function fundTwice(server, key) {
  try {
    await server.fundAddress(key.publicKey());
  } catch (error) {
    return error.message;
  }
  throw new Error("funded twice");
}

/** A transaction of one operation, not simulated yet. */
export async function build(server, key, operation, sorobanData) {
  const { passphrase } = await server.getNetwork();
  const builder = new TransactionBuilder(await server.getAccount(key.publicKey()), {
    fee: "1000",
    networkPassphrase: passphrase,
  })
    .addOperation(operation)
    .setTimeout(60);
  if (sorobanData) builder.setSorobanData(sorobanData);
  return builder.build();
}

/** Simulates, signs, sends, and waits for the outcome. */
export async function run(server, key, operation, sorobanData) {
  const tx = await server.prepareTransaction(await build(server, key, operation, sorobanData));
  tx.sign(key);
  return send(server, tx);
}

/** Sends what is signed, and waits for the outcome. */
export async function send(server, tx) {
  const sent = await server.sendTransaction(tx);
  check(sent.status === "PENDING", `PENDING, not ${sent.status} ${sent.errorResult?.toXdr?.("base64")}`);
  const done = await server.pollTransaction(sent.hash, { attempts: 60, sleepStrategy: () => 100 });
  check(done.txHash === sent.hash, "the transaction that was sent");
  return done;
}

/** Sends a signed transaction whose fee another account pays. */
export async function feeBump(server, payer, inner) {
  const { passphrase } = await server.getNetwork();
  const outer = TransactionBuilder.buildFeeBumpTransaction(payer.publicKey(), "100000", inner, passphrase);
  outer.sign(payer);
  const balance = async (address) => BigInt((await server.getAccountEntry(address)).balance);
  const before = [await balance(payer.publicKey()), await balance(inner.source)];
  const done = await send(server, outer);
  const after = [await balance(payer.publicKey()), await balance(inner.source)];
  return {
    status: done.status,
    feeBump: done.feeBump,
    hash: done.txHash,
    innerHash: Buffer.from(inner.hash()).toString("hex"),
    charged: before[0] - after[0],
    innerCharged: before[1] - after[1],
  };
}
