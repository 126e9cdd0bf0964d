\set ON_ERROR_STOP on
ALTER TABLE public.tenants SET SCHEMA legacy;
ALTER TABLE public.provisioning_logs SET SCHEMA legacy;
ALTER TABLE tenant_api.tenants SET SCHEMA public;
ALTER TABLE tenant_api.provisioning_logs SET SCHEMA public;
DROP SCHEMA tenant_api;
