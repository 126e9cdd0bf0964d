-- goose
SELECT count(DISTINCT version_id) FROM hospital_0002.goose_db_version WHERE version_id > 0;
-- Flyway; a schema with each V file has the R files, too
SELECT count(*) FROM hospital_0002.flyway_schema_history WHERE success AND version IS NOT NULL;
-- Liquibase
SELECT count(*) FROM hospital_0002.databasechangelog;
-- Prisma
SELECT count(*) FROM hospital_0002._prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL;
