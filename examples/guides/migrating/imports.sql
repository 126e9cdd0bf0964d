SELECT format(E'import {\n  to = healthcare_tenant.%s\n  id = %s\n}', regexp_replace(schema_name, '^(?![a-z_])', 'tenant_'),
    replace(replace(to_json('name:' || name)::text, '${', '$${'), '%{', '%%{'))
FROM legacy.mapping
WHERE status NOT IN ('FAILED', 'ARCHIVED')
ORDER BY name;
