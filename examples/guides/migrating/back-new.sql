\set ON_ERROR_STOP on
-- Tenants that the new service made become known to the old one. Adapt the columns as in mapping.sql.
SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', old."schemaName") -- Half-made.
FROM public.tenants AS old JOIN tenant_api.tenants AS t ON t.external_id = old.id::text
WHERE NOT t.adopted AND t.status = 'ACTIVE' AND old."schemaName" <> t.schema_name \gexec
UPDATE public.tenants AS old
SET status = 'ACTIVE', "schemaName" = t.schema_name, "sorobanContractId" = t.soroban_contract_id
FROM tenant_api.tenants AS t
WHERE t.external_id = old.id::text AND NOT t.adopted AND t.status = 'ACTIVE';

INSERT INTO public.tenants (id, name, "schemaName", status, "adminEmail", "adminFirstName", "adminLastName", "sorobanContractId")
SELECT t.id, t.name, t.schema_name, 'ACTIVE', t.admin_email, t.admin_first_name, t.admin_last_name, t.soroban_contract_id
FROM tenant_api.tenants AS t
WHERE NOT t.adopted AND t.status = 'ACTIVE' AND NOT EXISTS (SELECT FROM public.tenants AS old WHERE old.id::text = t.external_id);
