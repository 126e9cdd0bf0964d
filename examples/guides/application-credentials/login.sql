-- As the registry's user, who made the tenant's role and may give it to others.
CREATE ROLE records_st_marys LOGIN PASSWORD 'from-your-secret-store'
    IN ROLE st_marys_clinic_1795361446831_0de3a7e2, healthcare_connect;
ALTER ROLE records_st_marys SET search_path TO st_marys_clinic_1795361446831;
