mkdir -p hospital/migrations
liquibase update-sql --changelog-file=db/changelog.xml --url="$EMPTY_DATABASE_URL" > update.sql
awk '
  /^-- Changeset / { close(file); file = sprintf("hospital/migrations/%04d_changeset.sql", ++n); print "-- +goose Up" > file }
  /^-- Release Database Lock/ { exit }
  file && !/SEARCH_PATH/ && !/databasechangelog/ { print > file }
' update.sql
tenant-api blueprints validate ./hospital
