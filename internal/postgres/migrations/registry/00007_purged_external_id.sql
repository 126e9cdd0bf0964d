-- The external id of a purged tenant is free for another one.

-- +goose Up

ALTER TABLE tenants DROP CONSTRAINT tenants_external_id;
CREATE UNIQUE INDEX tenants_external_id ON tenants (external_id) WHERE purged_at IS NULL;
CREATE INDEX tenants_purged_external_id ON tenants (external_id, purged_at) WHERE purged_at IS NOT NULL AND external_id IS NOT NULL;
