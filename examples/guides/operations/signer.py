"""Replaces the key of the deployer's account, which SOROBAN_* name.

signer.py generate FILE     make a secret key in a new file
signer.py add FILE          let the key in the file sign for the account as well
signer.py remove ADDRESS    stop the key with this address (G...) from signing for the account
"""

import os
import sys

from stellar_sdk import Keypair, Signer, SorobanServer, TransactionBuilder


def change(**options):
    """Signs with the key in SOROBAN_CONTRACT_DEPLOYER_SECRET, and waits for the ledger."""
    key = Keypair.from_secret(os.environ["SOROBAN_CONTRACT_DEPLOYER_SECRET"])
    address = os.environ.get("SOROBAN_DEPLOYER_ACCOUNT", key.public_key)
    if options.get("remove") == key.public_key:
        sys.exit("remove a key with the other one, so that one is left")
    if options.get("remove") == address:
        options = {"master_weight": 0}
    elif "remove" in options:
        options = {"signer": Signer.ed25519_public_key(options["remove"], 0)}
    with SorobanServer(os.environ["SOROBAN_RPC_URL"]) as server:
        transaction = (
            TransactionBuilder(
                server.load_account(address), os.environ["SOROBAN_NETWORK_PASSPHRASE"], base_fee=100_000
            )
            .append_set_options_op(**options)
            .set_timeout(60)
            .build()
        )
        transaction.sign(key)
        sent = server.send_transaction(transaction)
        result = server.poll_transaction(sent.hash, max_attempts=60)
    if result.status.value != "SUCCESS":
        sys.exit(f"{sent.hash}: {result.status.value}")
    print(f"{address}: done, in ledger {result.ledger}")


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("generate", "add", "remove"):
        sys.exit(__doc__)
    command, argument = sys.argv[1:]
    if command == "remove":
        change(remove=argument)
    elif command == "add":
        with open(argument, encoding="ascii") as file:
            change(signer=Signer.ed25519_public_key(Keypair.from_secret(file.read().strip()).public_key, 1))
    else:
        key = Keypair.random()
        with os.fdopen(os.open(argument, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(key.secret)
        print(key.public_key)


if __name__ == "__main__":
    main()
