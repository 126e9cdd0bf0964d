\set ON_ERROR_STOP on
-- The old service can write no more: its tables are elsewhere. The view legacy.mapping follows them.
ALTER TABLE public.tenants SET SCHEMA legacy;
ALTER TABLE public.provisioning_logs SET SCHEMA legacy;

-- The new registry takes CONNECT from PUBLIC: each role of your own that connects needs it.
SELECT format('GRANT CONNECT ON DATABASE %I TO platform_app', current_database()) \gexec
