// The tenant contract through the SDK's own contract client.
import { Operation, contract, scValToNative } from "@stellar/stellar-sdk";
import { run } from "./accounts.js";
import { check } from "./talk.js";

export async function upload(server, key, wasm) {
  const done = await run(server, key, Operation.uploadContractWasm({ wasm }));
  check(done.status === "SUCCESS", "an upload that succeeded");
  return Buffer.from(scValToNative(done.returnValue)).toString("hex");
}

/** What the client needs to know to act for a key. */
export async function options(server, key) {
  const { passphrase } = await server.getNetwork();
  return {
    rpcUrl: server.serverURL.toString(),
    allowHttp: true,
    networkPassphrase: passphrase,
    publicKey: key.publicKey(),
    ...contract.basicNodeSigner(key, passphrase),
  };
}

export async function deploy(server, key, wasmHash, tenant) {
  const tx = await contract.Client.deploy(
    { admin: key.publicKey(), tenant_hash: tenant },
    { wasmHash, ...(await options(server, key)) },
  );
  const { result } = await tx.signAndSend();
  return result;
}

/** Calls what changes something, and waits for the outcome. */
export async function change(call) {
  const sent = await (await call).signAndSend();
  sent.result.unwrap();
  return sent.getTransactionResponse;
}

/**
 * The admin agrees by signature, and another account sends and pays. Upgraded
 * authorizations sign their address as well.
 */
export async function changeForOther(server, contractId, admin, payer, status, useUpgradedAuth) {
  const client = await contract.Client.from({ contractId, ...(await options(server, payer)) });
  const tx = await client.set_status({ status }, { useUpgradedAuth });
  const signers = tx.needsNonInvokerSigningBy();
  check(signers.length === 1 && signers[0] === admin.publicKey(), "that the admin has to sign");
  const { signAuthEntry } = await options(server, admin);
  await tx.signAuthEntries({ address: admin.publicKey(), signAuthEntry });
  const sent = await tx.signAndSend();
  sent.result.unwrap();
  return sent.getTransactionResponse;
}
