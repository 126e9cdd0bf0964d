-- The registry: what the platform knows about all tenants.

-- +goose Up

CREATE TYPE tenant_status AS ENUM ('PENDING', 'PROVISIONING', 'ACTIVE', 'FAILED', 'ARCHIVED');
CREATE TYPE provisioning_step AS ENUM (
    'CREATE_TENANT_RECORD', 'CREATE_SCHEMA', 'RUN_MIGRATIONS', 'SEED_ROLES_AND_USER',
    'DEPLOY_SOROBAN_CONTRACT', 'STORE_CONTRACT_ADDRESS', 'SEND_WELCOME_EMAIL');
CREATE TYPE provisioning_step_status AS ENUM ('PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED', 'ROLLED_BACK');
CREATE TYPE welcome_email_status AS ENUM ('PENDING', 'SENT', 'FAILED');
CREATE TYPE stellar_transaction_purpose AS ENUM ('UPLOAD', 'CREATE', 'RESTORE', 'EXTEND');
CREATE TYPE stellar_transaction_state AS ENUM ('SIGNED', 'SUCCEEDED', 'FAILED', 'REJECTED', 'EXPIRED');

CREATE TABLE tenants (
    id                   uuid PRIMARY KEY,
    name                 varchar(255) NOT NULL,
    name_key             varchar(1020) NOT NULL, -- the name without regard to case, computed by the program
    schema_name          varchar(63) NOT NULL CONSTRAINT tenants_schema_name UNIQUE
                         CHECK (schema_name ~ '^[a-z_][a-z0-9_]*$'),
    status               tenant_status NOT NULL DEFAULT 'PENDING',
    admin_email          varchar(254) NOT NULL,
    admin_first_name     varchar(255) NOT NULL,
    admin_last_name      varchar(255) NOT NULL,
    soroban_contract_id  varchar(56),
    provisioning_error   varchar(500),
    external_id          varchar(255) CONSTRAINT tenants_external_id UNIQUE,
    metadata             jsonb NOT NULL DEFAULT '{}',
    managed_by           varchar(255),
    admin_user_id        uuid, -- in the tenant's own users table
    welcome_email        welcome_email_status NOT NULL DEFAULT 'PENDING',
    welcome_email_serial integer NOT NULL DEFAULT 1,
    version              bigint NOT NULL DEFAULT 1,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    activated_at         timestamptz, -- first time live, never reset
    archived_at          timestamptz,
    -- The run: who takes the tenant through the steps, and how far it got.
    attempt              integer NOT NULL DEFAULT 1,
    checkpoint           provisioning_step NOT NULL DEFAULT 'CREATE_TENANT_RECORD',
    undo                 tenant_status CHECK (undo IN ('FAILED', 'ARCHIVED')),
    run_owner            varchar(160),
    run_epoch            bigint NOT NULL DEFAULT 0,
    run_expires_at       timestamptz,
    -- A tenant that was ever live is never rolled back.
    CONSTRAINT tenants_undo_never_live CHECK (undo IS NULL OR activated_at IS NULL),
    CONSTRAINT tenants_active_complete CHECK (status <> 'ACTIVE' OR (activated_at IS NOT NULL AND soroban_contract_id IS NOT NULL))
) WITH (fillfactor = 70); -- A run updates its row a few times; there shall be room for it beside the old version.
CREATE UNIQUE INDEX tenants_live_name ON tenants (name_key) WHERE status IN ('PENDING', 'PROVISIONING', 'ACTIVE');
CREATE INDEX tenants_name_key ON tenants (name_key);
CREATE INDEX tenants_page ON tenants (created_at DESC, id DESC);
-- Not on run_expires_at: a renewal of the lease then touches no index.
CREATE INDEX tenants_unfinished ON tenants (id) WHERE status IN ('PENDING', 'PROVISIONING') OR undo IS NOT NULL;

-- No foreign key: the log of a tenant outlives its row.
CREATE TABLE provisioning_logs (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id   uuid NOT NULL,
    attempt     integer NOT NULL,
    step        provisioning_step NOT NULL,
    status      provisioning_step_status NOT NULL,
    result      jsonb,
    error       varchar(500),
    duration_ms double precision,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT provisioning_logs_once UNIQUE (tenant_id, attempt, step)
);

-- Which version each tenant schema is at.
CREATE TABLE tenant_migrations (
    tenant_id  uuid NOT NULL,
    version    integer NOT NULL,
    checksum   varchar(64) NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, version)
);

-- One row for each invitation; the token itself is only in the mail.
CREATE TABLE tenant_invitations (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    tenant_id  uuid NOT NULL,
    user_id    uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tenant_invitations_tenant ON tenant_invitations (tenant_id);

-- Who may use an account's sequence numbers right now.
CREATE TABLE stellar_accounts (
    network_id   varchar(64) NOT NULL,
    address      varchar(56) NOT NULL,
    sequence     bigint NOT NULL DEFAULT 0, -- the last one used; 0: ask the network
    lease_tenant uuid,
    lease_epoch  bigint,
    expires_at   timestamptz,
    PRIMARY KEY (network_id, address)
);

-- Every transaction, from before it was sent.
CREATE TABLE stellar_transactions (
    hash             varchar(64) PRIMARY KEY,
    network_id       varchar(64) NOT NULL,
    source           varchar(56) NOT NULL,
    sequence         bigint NOT NULL,
    envelope         text NOT NULL,
    purpose          stellar_transaction_purpose NOT NULL,
    tenant_id        uuid NOT NULL,
    contract_id      varchar(56),
    state            stellar_transaction_state NOT NULL DEFAULT 'SIGNED',
    valid_until      timestamptz NOT NULL,
    submitted_ledger bigint NOT NULL,
    max_fee          bigint NOT NULL,
    ledger           bigint,
    fee_charged      bigint,
    detail           varchar(200),
    created_at       timestamptz NOT NULL DEFAULT now(),
    resolved_at      timestamptz
);
CREATE INDEX stellar_transactions_unresolved ON stellar_transactions (network_id, source, sequence) WHERE state = 'SIGNED';
CREATE INDEX stellar_transactions_tenant ON stellar_transactions (tenant_id);

-- +goose StatementBegin
-- Moves a claimed tenant's checkpoint, or refuses with SQLSTATE HT001 when the
-- run was overtaken. It notes the time, so that steps that share a transaction
-- can be told apart in the log.
CREATE FUNCTION tenant_fence(p_id uuid, p_epoch bigint, p_from provisioning_step, p_to provisioning_step, p_user uuid)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tenants SET checkpoint = p_to, admin_user_id = p_user
     WHERE id = p_id AND run_epoch = p_epoch AND checkpoint = p_from AND status = 'PROVISIONING' AND undo IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'run of tenant % with epoch % was overtaken', p_id, p_epoch USING ERRCODE = 'HT001';
    END IF;
    PERFORM set_config('healthcare.mark_0', clock_timestamp()::text, true);
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
-- Hash chain of a tenant's audit_logs: each row's hash covers its content and
-- the hash before it, so no row can be changed or taken out without a trace.
CREATE FUNCTION tenant_audit_chain() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last record;
BEGIN
    -- Writers of one tenant's chain take turns; those of others are not held up.
    PERFORM pg_advisory_xact_lock(1212240976, TG_RELID::int);
    EXECUTE format('SELECT seq, hash FROM %I.audit_logs ORDER BY seq DESC LIMIT 1', TG_TABLE_SCHEMA) INTO last;
    NEW.seq := coalesce(last.seq, 0) + 1;
    NEW.prev_hash := last.hash;
    NEW.hash := sha256(coalesce(NEW.prev_hash, ''::bytea) || convert_to(jsonb_build_array(
        NEW.seq, NEW.id, NEW.user_id, NEW.action, NEW.entity_type, NEW.entity_id, NEW.changes,
        -- Whole microseconds: the text of a fraction is not the same in PostgreSQL 13 and 14.
        (extract(epoch FROM NEW.created_at) * 1000000)::bigint)::text, 'UTF8'));
    RETURN NEW;
END $$;
-- +goose StatementEnd

-- Only members of healthcare_connect may connect to this database: tenant roles
-- can log in, for the sake of tools that need it, yet reach no database by themselves.
-- +goose StatementBegin
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'healthcare_connect') THEN
        CREATE ROLE healthcare_connect NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- Another database of this server was migrated at the same moment.
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO healthcare_connect', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), current_user);
    -- Who does not own the database is only warned that nothing was revoked.
    IF has_database_privilege('public', current_database(), 'CONNECT') THEN
        RAISE EXCEPTION 'CONNECT could not be taken from PUBLIC' USING ERRCODE = '42501';
    END IF;
END $$;
-- +goose StatementEnd
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION tenant_fence(uuid, bigint, provisioning_step, provisioning_step, uuid) FROM PUBLIC;
