-- Logins for tenants' schemas that end by themselves.

-- +goose Up

-- A row is there as long as the login is: from before its role is made, in the
-- same transaction, until the role is dropped. What happened to it is in the
-- tenant's audit events. Of the password nothing is stored here.
CREATE TABLE tenant_credentials (
    id         uuid PRIMARY KEY,
    tenant_id  uuid NOT NULL,
    username   varchar(63) NOT NULL UNIQUE,
    opened_at  timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    closed_at  timestamptz -- it can do nothing any more, and is to be dropped
);
CREATE INDEX tenant_credentials_tenant ON tenant_credentials (tenant_id);
CREATE INDEX tenant_credentials_due ON tenant_credentials (coalesce(closed_at, expires_at));
