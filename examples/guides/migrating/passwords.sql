\set ON_ERROR_STOP on
-- Users of different tenants with one hash have one password: the first one, never changed.
CREATE TEMPORARY TABLE hashes (tenant text, email text, password_hash text);
SELECT format('INSERT INTO hashes SELECT %L, email, password_hash FROM %I.users', m.name, m.schema_name)
FROM legacy.mapping AS m JOIN pg_namespace AS n ON n.nspname = m.schema_name JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = 'users' \gexec
SELECT tenant, email FROM hashes
WHERE password_hash IN (SELECT password_hash FROM hashes GROUP BY 1 HAVING count(DISTINCT tenant) > 1)
ORDER BY 1, 2;
