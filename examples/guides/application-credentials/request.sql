-- As the application, for each request: the tenant ends with the transaction.
BEGIN;
SET LOCAL ROLE st_marys_clinic_1795361446831_0de3a7e2;
SET LOCAL search_path TO st_marys_clinic_1795361446831;
SELECT email FROM users;
COMMIT;
