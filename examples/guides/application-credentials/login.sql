-- As the registry's user, who made the tenant's role and may give it to others.
CREATE ROLE records_st_marys LOGIN PASSWORD 'from-your-secret-store' CONNECTION LIMIT 20
    IN ROLE st_marys_clinic_1795361446831_0de3a7e2;
ALTER ROLE records_st_marys SET search_path TO st_marys_clinic_1795361446831;
DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO records_st_marys', current_database()); END $$;
