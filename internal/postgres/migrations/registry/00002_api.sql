-- What tenant-api needs: the queue's jobs, the audit log, keys, counts, purging.

-- +goose Up

CREATE TYPE audit_outcome AS ENUM ('DONE', 'REFUSED');

ALTER TABLE tenants
    ADD COLUMN job_id              bigint,      -- the queue's job that owes this tenant an end
    ADD COLUMN last_job_id         bigint,      -- the newest job, also after its end
    ADD COLUMN welcome_email_due   timestamptz, -- when a PENDING mail is tried again
    ADD COLUMN welcome_email_tries integer NOT NULL DEFAULT 0,
    ADD COLUMN purged_at           timestamptz,
    ADD COLUMN audit_seq           bigint NOT NULL DEFAULT 0, -- the head of this tenant's chain in audit_events
    ADD COLUMN audit_head          bytea,
    ADD CONSTRAINT tenants_purged_archived CHECK (purged_at IS NULL OR status = 'ARCHIVED');
-- Mails that were left over before there was anybody to send them again.
UPDATE tenants SET welcome_email_due = now() WHERE status = 'ACTIVE' AND welcome_email = 'PENDING';
-- Pages of one status. The two that a provisioning passes through are left out, so
-- that it writes no index entry: ACTIVE is nearly everybody, PROVISIONING nearly nobody.
CREATE INDEX tenants_status_page ON tenants (status, created_at DESC, id DESC) WHERE status IN ('PENDING', 'FAILED', 'ARCHIVED');
CREATE INDEX tenants_due_mail ON tenants (welcome_email_due) WHERE welcome_email_due IS NOT NULL;

-- Where a watcher of a tenant continues: within one tenant, whose writers take
-- turns on its row, the numbers grow in the order of commits.
CREATE SEQUENCE provisioning_changes;
ALTER TABLE provisioning_logs ADD COLUMN change bigint NOT NULL DEFAULT nextval('provisioning_changes');

-- How many tenants are in each status, exactly, without counting them. Sixteen
-- slots, so that connections seldom wait for each other; the sum counts.
CREATE TABLE tenant_counts (
    slot         smallint PRIMARY KEY,
    pending      bigint NOT NULL DEFAULT 0,
    provisioning bigint NOT NULL DEFAULT 0,
    active       bigint NOT NULL DEFAULT 0,
    failed       bigint NOT NULL DEFAULT 0,
    archived     bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO tenant_counts (slot) SELECT generate_series(0, 15);
UPDATE tenant_counts SET (pending, provisioning, active, failed, archived) = (
    SELECT count(*) FILTER (WHERE status = 'PENDING'), count(*) FILTER (WHERE status = 'PROVISIONING'),
           count(*) FILTER (WHERE status = 'ACTIVE'), count(*) FILTER (WHERE status = 'FAILED'),
           count(*) FILTER (WHERE status = 'ARCHIVED') FROM tenants) WHERE slot = 0;

-- +goose StatementBegin
-- TG_OP alone decides what OLD and NEW are; a branch that is not taken is not evaluated.
CREATE FUNCTION tenant_count() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was tenant_status := CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE OLD.status END;
    now_is tenant_status := CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE NEW.status END;
BEGIN
    UPDATE tenant_counts SET
        pending      = pending      + coalesce((now_is = 'PENDING')::int, 0)      - coalesce((was = 'PENDING')::int, 0),
        provisioning = provisioning + coalesce((now_is = 'PROVISIONING')::int, 0) - coalesce((was = 'PROVISIONING')::int, 0),
        active       = active       + coalesce((now_is = 'ACTIVE')::int, 0)       - coalesce((was = 'ACTIVE')::int, 0),
        failed       = failed       + coalesce((now_is = 'FAILED')::int, 0)       - coalesce((was = 'FAILED')::int, 0),
        archived     = archived     + coalesce((now_is = 'ARCHIVED')::int, 0)     - coalesce((was = 'ARCHIVED')::int, 0)
     WHERE slot = pg_backend_pid() % 16;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER tenants_count_rows AFTER INSERT OR DELETE ON tenants FOR EACH ROW EXECUTE FUNCTION tenant_count();
CREATE TRIGGER tenants_count_moves AFTER UPDATE OF status ON tenants FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION tenant_count();

-- One event for each change and each refusal. No foreign key: it outlives everything.
CREATE TABLE audit_events (
    tenant_id uuid NOT NULL, -- all zeros: the platform itself
    seq       bigint NOT NULL,
    at        timestamptz NOT NULL,
    action    varchar(64) NOT NULL,
    outcome   audit_outcome NOT NULL,
    actor     jsonb NOT NULL,
    detail    jsonb NOT NULL,
    hash      bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (tenant_id, seq)
);

-- The head of the platform's own chain.
CREATE TABLE platform_audit (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    seq      bigint NOT NULL DEFAULT 0,
    head     bytea
);
INSERT INTO platform_audit DEFAULT VALUES;

-- A link's hash covers the hash before it and everything that the event says.
-- Whole microseconds: the text of a fraction is not the same in PostgreSQL 13 and 14.
CREATE FUNCTION audit_hash(prev bytea, tenant uuid, seq bigint, at timestamptz, action text, outcome text, actor jsonb, detail jsonb)
RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256(coalesce(prev, ''::bytea) || convert_to(jsonb_build_array(
        tenant, seq, (extract(epoch FROM at) * 1000000)::bigint, action, outcome, actor, detail)::text, 'UTF8'))
$$;

-- +goose StatementBegin
-- Appends an event to a tenant's chain, or to the platform's for null and for a
-- tenant that is not there. Writers of one chain take turns.
CREATE FUNCTION audit_append(p_tenant uuid, p_action text, p_outcome text, p_actor jsonb, p_detail jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_at     timestamptz := clock_timestamp();
    v_tenant uuid := p_tenant;
    v_seq    bigint;
    v_head   bytea;
BEGIN
    UPDATE tenants SET audit_seq = audit_seq + 1,
           audit_head = audit_hash(audit_head, id, audit_seq + 1, v_at, p_action, p_outcome, p_actor, p_detail)
     WHERE id = p_tenant RETURNING audit_seq, audit_head INTO v_seq, v_head;
    IF NOT FOUND THEN
        v_tenant := '00000000-0000-0000-0000-000000000000';
        UPDATE platform_audit SET seq = seq + 1,
               head = audit_hash(head, v_tenant, seq + 1, v_at, p_action, p_outcome, p_actor, p_detail)
         RETURNING seq, head INTO v_seq, v_head;
    END IF;
    INSERT INTO audit_events (tenant_id, seq, at, action, outcome, actor, detail, hash)
    VALUES (v_tenant, v_seq, v_at, p_action, p_outcome::audit_outcome, p_actor, p_detail, v_head);
END $$;
-- +goose StatementEnd

-- Tenants that are older than the log begin their chains here.
SELECT audit_append(id, 'tenant.adopt', 'DONE', '{"kind": "process", "name": "registry migration 2"}', jsonb_build_object('status', status)) FROM tenants;

-- Who may call the API. The secret part of a key is not here, its SHA-256 is.
CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    name         varchar(100) NOT NULL,
    prefix       varchar(16) NOT NULL CONSTRAINT api_keys_prefix UNIQUE,
    secret_hash  bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    scopes       text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
CREATE UNIQUE INDEX api_keys_name ON api_keys (lower(name)) WHERE revoked_at IS NULL;

-- Answers of requests that came with an Idempotency-Key.
CREATE TABLE idempotency_keys (
    scope        varchar(255) NOT NULL,
    key          varchar(255) NOT NULL,
    request_hash bytea NOT NULL CHECK (octet_length(request_hash) = 32),
    answer       jsonb, -- null only while the first request's transaction runs
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- What stays of a purged tenant's data.
CREATE TABLE purge_certificates (
    tenant_id   uuid PRIMARY KEY,
    certificate jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

REVOKE EXECUTE ON FUNCTION tenant_count(), audit_append(uuid, text, text, jsonb, jsonb),
    audit_hash(bytea, uuid, bigint, timestamptz, text, text, jsonb, jsonb) FROM PUBLIC;
