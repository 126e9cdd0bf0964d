\set ON_ERROR_STOP on
-- Each tenant of the old registry, and what becomes of it.
SELECT m.name, m.status, m.schema_name,
    pg_size_pretty((SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relkind = 'r')) AS size,
    CASE
        WHEN m.contract IS NULL THEN 'none'
        WHEN m.contract ~ '^C[A-Z2-7]{55}$' THEN 'address'
        ELSE 'no address' END AS contract,
    CASE
        WHEN n.oid IS NULL OR m.status = 'FAILED' THEN 'nothing to adopt'
        WHEN m.status IN ('ACTIVE', 'ARCHIVED') THEN 'adopt'
        ELSE 'half-made' END AS decision
FROM legacy.mapping AS m LEFT JOIN pg_namespace AS n ON n.nspname = m.schema_name
ORDER BY m.name;

-- Schemas with the tables of a tenant that the old registry does not have.
SELECT n.nspname AS unknown_schema
FROM pg_namespace AS n
    JOIN pg_class AS u ON u.relnamespace = n.oid AND u.relname = 'users'
    JOIN pg_class AS a ON a.relnamespace = n.oid AND a.relname = 'audit_logs'
WHERE NOT EXISTS (SELECT FROM legacy.mapping AS m WHERE m.schema_name = n.nspname);

-- Names that differ in case alone: rename all but one of them first.
SELECT string_agg(name, ', ') AS same_names FROM legacy.mapping WHERE status <> 'FAILED' GROUP BY lower(name) HAVING count(*) > 1;
