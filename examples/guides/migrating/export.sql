COPY (
    SELECT schema_name AS schema, name, admin_email, admin_first_name, admin_last_name,
        id AS external_id, contract AS metadata_legacy_contract, created_at AS metadata_legacy_created_at
    FROM legacy.mapping AS m
    WHERE status IN ('ACTIVE', 'ARCHIVED')
        AND NOT EXISTS (SELECT FROM public.tenants AS t WHERE t.schema_name = m.schema_name AND NOT t.adopted)
    ORDER BY name
) TO STDOUT WITH (FORMAT csv, HEADER);
