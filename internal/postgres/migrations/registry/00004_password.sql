-- The password that a caller chose for a tenant's admin, until the tenant is live.

-- +goose Up

-- A program that is older and still running does not know the column, and would
-- take a tenant live without its password: the constraint makes it fail instead.
ALTER TABLE tenants
    ADD COLUMN admin_password_hash varchar(255), -- argon2id; null: there is none, or the tenant's own users table has it
    ADD CONSTRAINT tenants_password_handed_over CHECK (admin_password_hash IS NULL OR status NOT IN ('ACTIVE', 'ARCHIVED'));
