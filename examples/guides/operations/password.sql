-- As the DBA.
ALTER ROLE platform PASSWORD 'from-your-secret-store';
