SELECT u.id, u.password_hash, r.name AS role
FROM users u JOIN roles r ON r.id = u.role_id
WHERE lower(u.email) = lower($1) AND u.is_active
