-- Instead of DATABASE_ROLE: PostgreSQL itself sets the role when this user connects.
ALTER ROLE platform_2028 SET role = platform_owner;
