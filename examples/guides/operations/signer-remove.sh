# With the new settings, a minute after the last process with the old key has ended.
export SOROBAN_CONTRACT_DEPLOYER_SECRET="$(cat deployer.new)"
export SOROBAN_DEPLOYER_ACCOUNT=GDEPLOYER # the account, as before
python3 signer.py remove "$SOROBAN_DEPLOYER_ACCOUNT"
tenant-api channels reconcile
