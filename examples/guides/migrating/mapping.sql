\set ON_ERROR_STOP on
-- The only place that knows the columns of the old registry. Adapt it to yours.
-- TypeORM names a column "schemaName", or schema_name with a naming strategy.
CREATE SCHEMA IF NOT EXISTS legacy;
SELECT to_regclass('legacy.tenants') IS NOT NULL AS moved \gset
\if :moved
  \echo 'The old registry was moved: the view stays as it is.'
\else
CREATE OR REPLACE VIEW legacy.mapping AS
SELECT
    o ->> 'id' AS id,
    o ->> 'name' AS name,
    o ->> 'status' AS status, -- PENDING, PROVISIONING, ACTIVE, FAILED or ARCHIVED
    coalesce(o ->> 'schemaName', o ->> 'schema_name') AS schema_name,
    coalesce(o ->> 'adminEmail', o ->> 'admin_email') AS admin_email,
    coalesce(o ->> 'adminFirstName', o ->> 'admin_first_name') AS admin_first_name,
    coalesce(o ->> 'adminLastName', o ->> 'admin_last_name') AS admin_last_name,
    coalesce(o ->> 'sorobanContractId', o ->> 'soroban_contract_id') AS contract,
    coalesce(o ->> 'createdAt', o ->> 'created_at') AS created_at
FROM (SELECT to_jsonb(t) AS o FROM public.tenants AS t) AS old;
\endif
