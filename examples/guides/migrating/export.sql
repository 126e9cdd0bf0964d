COPY (
    SELECT schema_name AS schema, name, admin_email, admin_first_name, admin_last_name,
        id AS external_id, contract AS metadata_legacy_contract
    FROM legacy.mapping
    WHERE status IN ('ACTIVE', 'ARCHIVED')
    ORDER BY name
) TO STDOUT WITH (FORMAT csv, HEADER);
