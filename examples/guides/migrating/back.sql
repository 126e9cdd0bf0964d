\set ON_ERROR_STOP on
-- As the user of the old service. The new registry stays; two of its tables leave their names to the old ones.
CREATE SCHEMA tenant_api;
ALTER TABLE public.tenants SET SCHEMA tenant_api;
ALTER TABLE public.provisioning_logs SET SCHEMA tenant_api;
ALTER TABLE legacy.tenants SET SCHEMA public;
ALTER TABLE legacy.provisioning_logs SET SCHEMA public;

-- What was adopted becomes this user's again.
SELECT format('ALTER SCHEMA %I OWNER TO CURRENT_USER', schema_name) FROM tenant_api.tenants WHERE adopted \gexec
SELECT format('ALTER TABLE %I.%I OWNER TO CURRENT_USER', n.nspname, c.relname)
FROM tenant_api.tenants AS t JOIN pg_namespace AS n ON n.nspname = t.schema_name JOIN pg_class AS c ON c.relnamespace = n.oid
WHERE t.adopted AND c.relkind = 'r' \gexec
SELECT format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO PUBLIC', current_database()) \gexec

-- What the new service changed in the meantime.
SELECT name, status, schema_name, adopted, schema_version
FROM tenant_api.tenants AS t
WHERE NOT adopted OR schema_version <> 1 OR status <> (SELECT m.status FROM legacy.mapping AS m WHERE m.id = t.external_id)
ORDER BY name;
