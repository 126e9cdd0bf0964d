-- +goose NO TRANSACTION
-- +goose Up
CREATE INDEX CONCURRENTLY patients_name ON patients (lower(name));

-- +goose Down
DROP INDEX CONCURRENTLY patients_name;
