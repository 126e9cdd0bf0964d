# The platform's settings, for Terraform and for tenant-api. Secrets come from a
# secret store, not from a file like this.
export DATABASE_URL='postgres://platform:...@db.platform.example:5432/platform?sslmode=verify-full'
export SOROBAN_NETWORK=testnet
export SOROBAN_CONTRACT_DEPLOYER_SECRET='S...'
export MAIL_HOST=smtp.platform.example MAIL_USER=platform MAIL_PASSWORD='...'
export MAIL_FROM='Platform <no-reply@platform.example>'
export APP_URL=https://app.platform.example
