-- As the DBA: a superuser, or the administrator of a managed service.
CREATE ROLE platform LOGIN CREATEROLE PASSWORD 'from-your-secret-store';
-- Who gives a database to a role has to be its member for that moment.
GRANT platform TO CURRENT_USER;
CREATE DATABASE platform OWNER platform ENCODING 'UTF8' TEMPLATE template0;
REVOKE platform FROM CURRENT_USER;
