SELECT format(E'import {\n  to = healthcare_tenant.%s\n  id = %s\n}', schema_name,
    replace(replace(to_json('name:' || name)::text, '${', '$${'), '%{', '%%{'))
FROM legacy.mapping
WHERE status NOT IN ('FAILED', 'ARCHIVED')
ORDER BY name;
