-- The floor that the product is measured against: what one tenant costs PostgreSQL at
-- least. This file never changes. It holds the tables, rows and grants of a tenant and of
-- the registry as they were when it was written, in a database and under a user of their
-- own. Were it taken from the product's own SQL, product and floor would grow heavier
-- together, and no ratio would show it. The product may gain tables or columns; the floor
-- does not. A test compares the file with its SHA-256.
--
-- Each line "-- part: NAME" begins a part. "user" runs once on a server, as superuser.
-- "registry" runs once in each new database, as that user, who owns the database.
-- "tenant" is one transaction for pgbench: one tenant.

-- part: user
CREATE ROLE bench_floor LOGIN NOSUPERUSER NOCREATEDB CREATEROLE NOREPLICATION NOBYPASSRLS;

-- part: registry
CREATE TYPE tenant_status AS ENUM ('PENDING', 'PROVISIONING', 'ACTIVE', 'FAILED', 'ARCHIVED');
CREATE TYPE provisioning_step AS ENUM (
    'CREATE_TENANT_RECORD', 'CREATE_SCHEMA', 'RUN_MIGRATIONS', 'SEED_ROLES_AND_USER',
    'DEPLOY_SOROBAN_CONTRACT', 'STORE_CONTRACT_ADDRESS', 'SEND_WELCOME_EMAIL');
CREATE TYPE provisioning_step_status AS ENUM ('PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED', 'ROLLED_BACK');
CREATE TYPE welcome_email_status AS ENUM ('PENDING', 'SENT', 'FAILED');

CREATE TABLE tenants (
    id                   uuid PRIMARY KEY,
    name                 varchar(255) NOT NULL,
    name_key             varchar(1020) NOT NULL,
    schema_name          varchar(63) NOT NULL UNIQUE CHECK (schema_name ~ '^[a-z_][a-z0-9_]*$'),
    status               tenant_status NOT NULL DEFAULT 'PENDING',
    admin_email          varchar(254) NOT NULL,
    admin_first_name     varchar(255) NOT NULL,
    admin_last_name      varchar(255) NOT NULL,
    soroban_contract_id  varchar(56),
    provisioning_error   varchar(500),
    external_id          varchar(255) UNIQUE,
    metadata             jsonb NOT NULL DEFAULT '{}',
    managed_by           varchar(255),
    admin_user_id        uuid,
    welcome_email        welcome_email_status NOT NULL DEFAULT 'PENDING',
    welcome_email_serial integer NOT NULL DEFAULT 1,
    version              bigint NOT NULL DEFAULT 1,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    activated_at         timestamptz,
    archived_at          timestamptz,
    attempt              integer NOT NULL DEFAULT 1,
    checkpoint           provisioning_step NOT NULL DEFAULT 'CREATE_TENANT_RECORD',
    undo                 tenant_status CHECK (undo IN ('FAILED', 'ARCHIVED')),
    run_owner            varchar(160),
    run_epoch            bigint NOT NULL DEFAULT 0,
    run_expires_at       timestamptz,
    job_id               bigint,
    last_job_id          bigint,
    welcome_email_due    timestamptz,
    welcome_email_tries  integer NOT NULL DEFAULT 0,
    purged_at            timestamptz,
    audit_seq            bigint NOT NULL DEFAULT 0,
    audit_head           bytea,
    admin_password_hash  varchar(255),
    CHECK (undo IS NULL OR activated_at IS NULL),
    CHECK (status <> 'ACTIVE' OR (activated_at IS NOT NULL AND soroban_contract_id IS NOT NULL)),
    CHECK (purged_at IS NULL OR status = 'ARCHIVED'),
    CHECK (admin_password_hash IS NULL OR status NOT IN ('ACTIVE', 'ARCHIVED'))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX tenants_live_name ON tenants (name_key) WHERE status IN ('PENDING', 'PROVISIONING', 'ACTIVE');
CREATE INDEX tenants_name_key ON tenants (name_key);
CREATE INDEX tenants_page ON tenants (created_at DESC, id DESC);
CREATE INDEX tenants_unfinished ON tenants (id) WHERE status IN ('PENDING', 'PROVISIONING') OR undo IS NOT NULL;
CREATE INDEX tenants_status_page ON tenants (status, created_at DESC, id DESC) WHERE status IN ('PENDING', 'FAILED', 'ARCHIVED');
CREATE INDEX tenants_due_mail ON tenants (welcome_email_due) WHERE welcome_email_due IS NOT NULL;

CREATE TABLE tenant_counts (
    slot         smallint PRIMARY KEY,
    pending      bigint NOT NULL DEFAULT 0,
    provisioning bigint NOT NULL DEFAULT 0,
    active       bigint NOT NULL DEFAULT 0,
    failed       bigint NOT NULL DEFAULT 0,
    archived     bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO tenant_counts (slot) SELECT generate_series(0, 15);
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
CREATE TRIGGER tenants_count_rows AFTER INSERT OR DELETE ON tenants FOR EACH ROW EXECUTE FUNCTION tenant_count();

CREATE SEQUENCE provisioning_changes;
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
    change      bigint NOT NULL DEFAULT nextval('provisioning_changes'),
    UNIQUE (tenant_id, attempt, step)
);
CREATE TABLE tenant_migrations (
    tenant_id  uuid NOT NULL,
    version    integer NOT NULL,
    checksum   varchar(64) NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, version)
);
CREATE TABLE tenant_invitations (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    tenant_id  uuid NOT NULL,
    user_id    uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tenant_invitations_tenant ON tenant_invitations (tenant_id);

-- The floor writes no audit rows: the trigger is only created.
CREATE FUNCTION tenant_audit_chain() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN NEW;
END $$;

-- part: tenant
-- A number for each tenant: pgbench numbers its clients, and i counts up.
\set i :i + 1
\set n :client_id * 1000000 + :i + :base
BEGIN;
INSERT INTO tenants (id, name, name_key, schema_name, status, admin_email, admin_first_name, admin_last_name, soroban_contract_id, activated_at, checkpoint)
 VALUES (gen_random_uuid(), 'Tenant :n', 'tenant ' || :n, 'floor_' || :n, 'ACTIVE', 'ada@clinic.example', 'Ada', 'Lovelace', repeat('C', 56), now(), 'SEND_WELCOME_EMAIL');
CREATE ROLE floor_:n LOGIN PASSWORD NULL NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
CREATE SCHEMA floor_:n;
CREATE TABLE floor_:n.roles (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name        varchar(255) NOT NULL UNIQUE,
    description text,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE floor_:n.users (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email         varchar(255) NOT NULL UNIQUE,
    password_hash varchar(255),
    first_name    varchar(255) NOT NULL,
    last_name     varchar(255) NOT NULL,
    is_active     boolean NOT NULL DEFAULT true,
    role_id       uuid NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE floor_:n.audit_logs (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id     uuid,
    action      varchar(255) NOT NULL,
    entity_type varchar(255) NOT NULL,
    entity_id   varchar(255),
    changes     jsonb,
    created_at  timestamptz NOT NULL DEFAULT now(),
    seq         bigint NOT NULL UNIQUE,
    prev_hash   bytea,
    hash        bytea NOT NULL
);
CREATE TRIGGER audit_chain BEFORE INSERT ON floor_:n.audit_logs FOR EACH ROW EXECUTE FUNCTION public.tenant_audit_chain();
INSERT INTO floor_:n.roles (name, description) VALUES ('admin', 'Manages the organisation, its users and their roles'), ('user', 'Works with the organisation''s records'), ('viewer', 'Reads the organisation''s records');
INSERT INTO floor_:n.users (email, first_name, last_name, role_id) SELECT 'ada@clinic.example', 'Ada', 'Lovelace', id FROM floor_:n.roles WHERE name = 'admin';
ALTER TABLE floor_:n.users ADD CONSTRAINT users_role_id_fkey FOREIGN KEY (role_id) REFERENCES floor_:n.roles (id);
CREATE INDEX users_role_id ON floor_:n.users (role_id);
ALTER TABLE floor_:n.audit_logs ADD CONSTRAINT audit_logs_user_id_fkey FOREIGN KEY (user_id) REFERENCES floor_:n.users (id);
CREATE INDEX audit_logs_user_id ON floor_:n.audit_logs (user_id);
GRANT USAGE ON SCHEMA floor_:n TO floor_:n;
GRANT SELECT, INSERT, UPDATE, DELETE ON floor_:n.roles, floor_:n.users TO floor_:n;
GRANT SELECT, INSERT ON floor_:n.audit_logs TO floor_:n;
INSERT INTO tenant_migrations (tenant_id, version, checksum) VALUES (gen_random_uuid(), 1, repeat('a', 64));
INSERT INTO tenant_invitations (token_hash, tenant_id, user_id, expires_at) VALUES (sha256(('x' || random())::bytea), gen_random_uuid(), gen_random_uuid(), now());
INSERT INTO provisioning_logs (tenant_id, attempt, step, status, duration_ms)
 SELECT tenant, 1, step, 'COMPLETED', 1 FROM (SELECT gen_random_uuid() AS tenant) t, unnest(enum_range(NULL::provisioning_step)) AS step;
COMMIT;
