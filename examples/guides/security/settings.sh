export DATABASE_URL_FILE=/run/secrets/database-url       # sslmode=verify-full in it
export MAIL_TLS=mandatory
export SCHEMA_NAMES=opaque                               # names of schemas and roles tell nothing
export CREDENTIAL_REASON=required                        # why somebody opens a tenant's records
export ALLOW_EARLY_PURGE=false
export PURGE_RETENTION=720h
export TRUSTED_PROXIES=10.0.0.7                          # the proxies alone
export METRICS_ADDR=127.0.0.1:9464                       # or an address that only Prometheus reaches
