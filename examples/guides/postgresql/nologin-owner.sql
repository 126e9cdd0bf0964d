-- As the DBA: a superuser, or the administrator of a managed service.
CREATE ROLE platform_owner NOLOGIN CREATEROLE;
GRANT platform_owner TO CURRENT_USER;
CREATE DATABASE platform OWNER platform_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE platform_owner FROM CURRENT_USER;
-- A user for the programs, with CONNECT through the owner. It owns nothing.
CREATE ROLE platform_2027 LOGIN PASSWORD 'from-your-secret-store' IN ROLE platform_owner;
