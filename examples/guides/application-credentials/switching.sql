-- As the registry's user. NOINHERIT: without SET ROLE, the login reads no tenant.
CREATE ROLE records LOGIN NOINHERIT PASSWORD 'from-your-secret-store' CONNECTION LIMIT 20
    IN ROLE st_marys_clinic_1795361446831_0de3a7e2, north_clinic_1795361446907_7c1f0b52;
DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO records', current_database()); END $$;
