\set ON_ERROR_STOP on
-- When there is no way back any more: schemas of tenants that never were live, and the old registry.
SELECT format('DROP SCHEMA %I CASCADE', m.schema_name)
FROM legacy.mapping AS m JOIN pg_namespace AS n ON n.nspname = m.schema_name
WHERE m.status IN ('PENDING', 'PROVISIONING', 'FAILED') AND NOT EXISTS (SELECT FROM public.tenants AS t WHERE t.schema_name = m.schema_name) \gexec
DROP SCHEMA legacy CASCADE;
