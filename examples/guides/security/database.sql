-- As the database user, in the registry's database.
-- No superuser. The answer must be f.
SELECT rolsuper OR rolbypassrls AS too_much FROM pg_roles WHERE rolname = current_user;
-- Connections of the programs without TLS. The answer must be 0, but for those on the same machine.
SELECT count(*) AS without_tls FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE datname = current_database() AND NOT ssl;
-- Logins that reach a tenant's schema: those that are open, and the ones that you have made.
SELECT r.rolname AS login, t.name AS tenant
FROM tenants t JOIN pg_namespace n ON n.nspname = t.schema_name
JOIN pg_roles r ON r.rolcanlogin AND NOT r.rolsuper AND r.rolname <> current_user AND has_schema_privilege(r.oid, n.oid, 'USAGE');
