pg_basebackup --dbname="$DBA_URL" --pgdata=base --checkpoint=fast
pg_verifybackup base
