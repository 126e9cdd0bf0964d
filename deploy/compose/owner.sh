#!/bin/sh
# Makes the user and the database of tenant-api, when PostgreSQL's container starts for the
# first time: the user owns the database and may create roles, and is no superuser.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\set password `cat /run/secrets/database-password`
CREATE ROLE tenant_api LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE healthcare OWNER tenant_api TEMPLATE template0 ENCODING 'UTF8';
SQL
