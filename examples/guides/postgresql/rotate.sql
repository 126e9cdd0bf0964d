-- As the DBA: another user.
CREATE ROLE platform_2028 LOGIN PASSWORD 'from-your-secret-store' IN ROLE platform_owner;
