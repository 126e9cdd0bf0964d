SELECT coalesce(d.datname, 'all databases') AS database, coalesce(r.rolname, 'all users') AS user_name, s.setconfig AS settings
FROM pg_db_role_setting s
LEFT JOIN pg_database d ON d.oid = s.setdatabase
LEFT JOIN pg_roles r ON r.oid = s.setrole;
