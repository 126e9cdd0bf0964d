-- Logins that could not be ended or dropped are tried again later.

-- +goose Up

ALTER TABLE tenant_credentials
    ADD COLUMN failures integer NOT NULL DEFAULT 0, -- tries in a row that failed
    ADD COLUMN retry_at timestamptz;                -- not to be tried before; null: no try has failed
