-- The registry: the tables in schema public that hold all tenants.
--
-- Statuses, states and steps are text with a CHECK: a new value needs no change of
-- a type. Steps are checked by a pattern, so that later releases can add steps.

-- +goose Up

CREATE TABLE tenants (
    id                     uuid PRIMARY KEY,
    name                   varchar(255) NOT NULL,
    name_key               varchar(1020) NOT NULL, -- the name for comparison, without regard to case and to what cannot be seen; computed by the program
    name_skeleton          bytea, -- names that look alike have the same (UTS 39); computed by the program, as is the next; null: it is not compared
    name_scripts           text, -- that the name is written in, with spaces in between
    allow_confusable_name  boolean NOT NULL DEFAULT false, -- the name may look like that of another tenant, and that of another one like it
    schema_name            varchar(63) NOT NULL CONSTRAINT tenants_schema_name UNIQUE
                           CHECK (schema_name <> '' AND NOT starts_with(schema_name, 'pg_')), -- that of an adopted tenant has the name that it had
    status                 text NOT NULL DEFAULT 'PENDING'
                           CHECK (status IN ('PENDING', 'PROVISIONING', 'ACTIVE', 'SUSPENDED', 'FAILED', 'ARCHIVED')),
    admin_email            varchar(254) NOT NULL,
    admin_first_name       varchar(255) NOT NULL,
    admin_last_name        varchar(255) NOT NULL,
    admin_password_hash    varchar(255), -- argon2id; null: no password, or the tenant's own users table has it
    soroban_contract_id    varchar(56),
    provisioning_error     varchar(500),
    external_id            varchar(255), -- the caller's own key
    metadata               jsonb NOT NULL DEFAULT '{}',
    managed_by             varchar(255),
    locale                 varchar(35), -- a BCP 47 tag, of mails; null: the blueprint's
    blueprint              varchar(63) NOT NULL DEFAULT 'standard',
    blueprint_revision     integer, -- that the schema was last brought to; null: standard, or no schema yet
    variables              jsonb NOT NULL DEFAULT '{}', -- the blueprint's, of this tenant
    outputs                jsonb NOT NULL DEFAULT '{}', -- what its own steps answered
    adopted                boolean NOT NULL DEFAULT false, -- its schema was there before: no rollback drops it
    without_contract       boolean NOT NULL DEFAULT false, -- the blueprint has contract: none
    without_users          boolean NOT NULL DEFAULT false, -- the blueprint extends none: no administrator, no invitation
    schema_version         integer, -- number of the blueprint's last migration in the schema; null: no schema yet
    admin_user_id          uuid, -- in the tenant's own users table
    welcome_email          text NOT NULL DEFAULT 'PENDING' CHECK (welcome_email IN ('PENDING', 'SENT', 'FAILED', 'SKIPPED')),
    welcome_email_serial   integer NOT NULL DEFAULT 1,
    welcome_email_claim    integer NOT NULL DEFAULT 1, -- counts who may send the PENDING mail: a conversation of an earlier claim sends and records nothing
    welcome_email_due_at   timestamptz, -- next attempt of a PENDING mail
    welcome_email_failures integer NOT NULL DEFAULT 0, -- failed attempts in a row
    welcome_email_unanswered boolean NOT NULL DEFAULT false, -- the mail server has the PENDING mail, or may have it, and no answer is known
    -- The newest invitation of the administrator, from the first time ACTIVE. tenant_invitations has the tokens.
    invitation_expires_at  timestamptz, -- null: nobody was invited
    invitation_sent_at     timestamptz, -- the mail server took its mail
    invitation_accepted_at timestamptz,
    invitation_revoked_at  timestamptz,
    invitation_reminder_tries integer NOT NULL DEFAULT 0, -- counts who may send the reminder, as welcome_email_claim does
    invitation_reminder_at timestamptz, -- next attempt to send the reminder; infinity: none; null: when it is due
    -- The failure mail of the attempt, from the commit that ended its rollback.
    failure_email_due_at    timestamptz, -- next try to send it, and until then the claim of the running one; null: it is not sent, or not again
    failure_email_tries     integer NOT NULL DEFAULT 0, -- the number of the last try: an earlier one sends and records nothing
    version                bigint NOT NULL DEFAULT 1,
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),
    activated_at           timestamptz, -- first time ACTIVE; never reset
    suspended_at           timestamptz, -- since when it is SUSPENDED; kept while it is ARCHIVED, so that unarchiving makes it SUSPENDED again
    archived_at            timestamptz, -- cleared by a trigger when the tenant is not ARCHIVED any more
    purged_at              timestamptz,
    deletion_protection    boolean NOT NULL DEFAULT false, -- neither archived nor purged
    -- A legal hold: nothing deletes the tenant's data. All three are null without one.
    hold_reason            varchar(1000),
    hold_by                varchar(300), -- who set it
    hold_since             timestamptz,
    -- The current attempt, the run that holds the lease, and the job in the queue.
    attempt                integer NOT NULL DEFAULT 1,
    checkpoint             text NOT NULL DEFAULT 'CREATE_TENANT_RECORD' CHECK (checkpoint ~ '^[A-Z][A-Z0-9_]{2,62}$'),
    rollback_target        text CHECK (rollback_target IN ('FAILED', 'ARCHIVED')), -- status after the rollback in progress; null: none
    run_owner              varchar(160),
    run_epoch              bigint NOT NULL DEFAULT 0,
    run_expires_at         timestamptz,
    run_lease              interval, -- length of the lease; null: not known
    job_id                 bigint, -- the job that must still complete the tenant
    last_job_id            bigint, -- the newest job, also after it ended
    move_job_id            bigint, -- the newest job of a move, also after it ended
    -- Head of this tenant's chain in audit_events.
    audit_seq              bigint NOT NULL DEFAULT 0,
    audit_head             bytea,
    traceparent            varchar(55), -- W3C Trace Context of the request that created it, whose trace its runs continue; null: no traces
    -- A tenant that was ever live is never rolled back.
    CONSTRAINT tenants_rollback_never_live CHECK (rollback_target IS NULL OR activated_at IS NULL),
    CONSTRAINT tenants_live_complete CHECK (status NOT IN ('ACTIVE', 'SUSPENDED')
        OR (activated_at IS NOT NULL AND (soroban_contract_id IS NOT NULL OR without_contract))),
    CONSTRAINT tenants_archived_at CHECK (status <> 'ARCHIVED' OR archived_at IS NOT NULL),
    CONSTRAINT tenants_purged_archived CHECK (purged_at IS NULL OR status = 'ARCHIVED'),
    CONSTRAINT tenants_suspended_at CHECK (CASE status WHEN 'SUSPENDED' THEN suspended_at IS NOT NULL WHEN 'ARCHIVED' THEN true ELSE suspended_at IS NULL END),
    CONSTRAINT tenants_hold_complete CHECK (num_nulls(hold_reason, hold_by, hold_since) IN (0, 3)),
    CONSTRAINT tenants_hold_keeps_data CHECK (hold_since IS NULL OR activated_at IS NOT NULL AND purged_at IS NULL),
    -- A tenant that goes live must hand its password hash to its own users table.
    CONSTRAINT tenants_password_cleared CHECK (admin_password_hash IS NULL OR status NOT IN ('ACTIVE', 'SUSPENDED', 'ARCHIVED'))
) WITH (fillfactor = 70); -- A run updates its row a few times; the free space keeps the new versions on the same page.
-- The tenants that hold their name.
CREATE UNIQUE INDEX tenants_name_unique ON tenants (name_key) WHERE status IN ('PENDING', 'PROVISIONING', 'ACTIVE', 'SUSPENDED');
-- The external id of a purged tenant is free for another one.
CREATE UNIQUE INDEX tenants_external_id ON tenants (external_id) WHERE purged_at IS NULL;
CREATE INDEX tenants_purged_external_id ON tenants (external_id, purged_at) WHERE purged_at IS NOT NULL AND external_id IS NOT NULL;
CREATE INDEX tenants_name_key ON tenants (name_key);
CREATE INDEX tenants_name_skeleton ON tenants (name_skeleton) WHERE status IN ('PENDING', 'PROVISIONING', 'ACTIVE', 'SUSPENDED');
CREATE INDEX tenants_page ON tenants (created_at DESC, id DESC);
-- Pages of one status. PROVISIONING and ACTIVE are left out, so that a provisioning
-- writes no entry here: few tenants are PROVISIONING, and nearly all are ACTIVE.
CREATE INDEX tenants_status_page ON tenants (status, created_at DESC, id DESC) WHERE status IN ('PENDING', 'SUSPENDED', 'FAILED', 'ARCHIVED');
-- Pages of a blueprint of the platform's own; tenants_page has those of the standard one.
CREATE INDEX tenants_blueprint_page ON tenants (blueprint, created_at DESC, id DESC) WHERE blueprint <> 'standard';
-- Lists by metadata, and those of narrowed keys. Tenants without metadata are not in it.
CREATE INDEX tenants_metadata ON tenants USING gin (metadata jsonb_path_ops) WHERE metadata <> '{}';
-- Not on run_expires_at: renewing a lease then updates no index.
CREATE INDEX tenants_unfinished ON tenants (id) WHERE status IN ('PENDING', 'PROVISIONING') OR rollback_target IS NOT NULL;
CREATE INDEX tenants_due_mail ON tenants (welcome_email_due_at) WHERE welcome_email_due_at IS NOT NULL;
CREATE INDEX tenants_failed_mail ON tenants (activated_at) WHERE welcome_email = 'FAILED';
CREATE INDEX tenants_due_failure_mail ON tenants (failure_email_due_at) WHERE failure_email_due_at IS NOT NULL;
CREATE INDEX tenants_held ON tenants (created_at DESC, id DESC) WHERE hold_since IS NOT NULL;
CREATE INDEX tenants_suspended ON tenants (created_at DESC, id DESC) WHERE suspended_at IS NOT NULL AND purged_at IS NULL;
CREATE INDEX tenants_open_invitation ON tenants (invitation_expires_at)
    WHERE invitation_expires_at IS NOT NULL AND invitation_accepted_at IS NULL AND invitation_revoked_at IS NULL;

-- Position of a change in the log, where a reader of one tenant continues. Writers of
-- one tenant lock its row, so within a tenant the numbers grow in the order of commits.
CREATE SEQUENCE provisioning_log_seq;

-- No foreign key: the log of a tenant must outlive its row.
CREATE TABLE provisioning_logs (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id   uuid NOT NULL,
    attempt     integer NOT NULL,
    step        text NOT NULL CHECK (step ~ '^[A-Z][A-Z0-9_]{2,62}$'),
    status      text NOT NULL CHECK (status IN ('PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED', 'ROLLED_BACK', 'SKIPPED')),
    result      jsonb,
    error       varchar(500),
    duration_ms double precision,
    trace_id    varchar(32), -- of the tenant's traceparent
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    change_seq  bigint NOT NULL DEFAULT nextval('provisioning_log_seq'), -- of the row's last change
    CONSTRAINT provisioning_logs_unique UNIQUE (tenant_id, attempt, step)
);

-- Number of tenants by status. Exact without counting the tenants. Each connection
-- writes one of sixteen slots, so that connections rarely wait for each other; the
-- total is the sum over the slots.
CREATE TABLE tenant_counts (
    slot         smallint PRIMARY KEY,
    pending      bigint NOT NULL DEFAULT 0,
    provisioning bigint NOT NULL DEFAULT 0,
    active       bigint NOT NULL DEFAULT 0,
    suspended    bigint NOT NULL DEFAULT 0,
    failed       bigint NOT NULL DEFAULT 0,
    archived     bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO tenant_counts (slot) SELECT generate_series(0, 15);

-- +goose StatementBegin
-- TG_OP decides which of OLD and NEW exist; a branch that is not taken is not evaluated.
CREATE FUNCTION tenant_count() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    old_status text := CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE OLD.status END;
    new_status text := CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE NEW.status END;
BEGIN
    UPDATE tenant_counts SET
        pending      = pending      + coalesce((new_status = 'PENDING')::int, 0)      - coalesce((old_status = 'PENDING')::int, 0),
        provisioning = provisioning + coalesce((new_status = 'PROVISIONING')::int, 0) - coalesce((old_status = 'PROVISIONING')::int, 0),
        active       = active       + coalesce((new_status = 'ACTIVE')::int, 0)       - coalesce((old_status = 'ACTIVE')::int, 0),
        suspended    = suspended    + coalesce((new_status = 'SUSPENDED')::int, 0)    - coalesce((old_status = 'SUSPENDED')::int, 0),
        failed       = failed       + coalesce((new_status = 'FAILED')::int, 0)       - coalesce((old_status = 'FAILED')::int, 0),
        archived     = archived     + coalesce((new_status = 'ARCHIVED')::int, 0)     - coalesce((old_status = 'ARCHIVED')::int, 0)
     WHERE slot = pg_backend_pid() % 16;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER tenants_count_rows AFTER INSERT OR DELETE ON tenants FOR EACH ROW EXECUTE FUNCTION tenant_count();
CREATE TRIGGER tenants_count_updates AFTER UPDATE OF status ON tenants FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION tenant_count();

-- +goose StatementBegin
-- A server's user may change the status and not this time, from which the retention counts.
CREATE FUNCTION tenant_not_archived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.archived_at := NULL;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER tenants_not_archived BEFORE UPDATE OF status ON tenants FOR EACH ROW
    WHEN (OLD.status = 'ARCHIVED' AND NEW.status <> 'ARCHIVED') EXECUTE FUNCTION tenant_not_archived();

-- Transactions that give tenants names of one skeleton wait for each other at one of these rows: each
-- would miss the other's tenant. Rows, because every login of the database can take advisory locks.
CREATE TABLE tenant_name_locks (slot smallint PRIMARY KEY);
INSERT INTO tenant_name_locks SELECT generate_series(0, 255);

-- +goose StatementBegin
-- Refuses a name that looks like that of another tenant, through letters of other scripts.
CREATE FUNCTION tenant_name_confusable() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    other record;
BEGIN
    PERFORM FROM tenant_name_locks WHERE slot = get_byte(NEW.name_skeleton, 0) FOR UPDATE;
    SELECT id, name INTO other FROM tenants
     WHERE name_skeleton = NEW.name_skeleton AND status IN ('PENDING', 'PROVISIONING', 'ACTIVE', 'SUSPENDED')
       AND (name_scripts <> NEW.name_scripts OR position(' ' IN name_scripts) > 0) AND NOT allow_confusable_name AND id <> NEW.id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'HT004', MESSAGE = other.name, DETAIL = other.id::text;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER tenants_confusable_rows AFTER INSERT ON tenants FOR EACH ROW
    WHEN (NEW.name_skeleton IS NOT NULL AND NOT NEW.allow_confusable_name AND NEW.status IN ('PENDING', 'PROVISIONING', 'ACTIVE', 'SUSPENDED'))
    EXECUTE FUNCTION tenant_name_confusable();
CREATE TRIGGER tenants_confusable_updates AFTER UPDATE OF status, name_skeleton, name_scripts, allow_confusable_name ON tenants FOR EACH ROW
    WHEN (NEW.name_skeleton IS NOT NULL AND NOT NEW.allow_confusable_name AND NEW.status IN ('PENDING', 'PROVISIONING', 'ACTIVE', 'SUSPENDED')
        AND (OLD.status NOT IN ('PENDING', 'PROVISIONING', 'ACTIVE', 'SUSPENDED') OR OLD.allow_confusable_name
            OR (OLD.name_skeleton, OLD.name_scripts) IS DISTINCT FROM (NEW.name_skeleton, NEW.name_scripts)))
    EXECUTE FUNCTION tenant_name_confusable();

-- What tenants are made from, beside the blueprint standard, which is part of the program.
CREATE TABLE blueprints (
    name            varchar(63) PRIMARY KEY,
    active_revision integer, -- that new tenants get; null: none yet
    retired_at      timestamptz, -- no new tenants since then; null: in use
    created_at      timestamptz NOT NULL DEFAULT now()
);
-- A blueprint as it was published. A row never changes.
CREATE TABLE blueprint_revisions (
    blueprint      varchar(63) NOT NULL REFERENCES blueprints (name),
    revision       integer NOT NULL CHECK (revision > 0),
    sha256         varchar(64) NOT NULL, -- of the files
    schema_version integer NOT NULL,
    files          bytea NOT NULL, -- a tar, compressed by gzip
    objects        jsonb NOT NULL, -- what its migrations make, for privileges
    report         jsonb NOT NULL, -- what a trial found out about each migration
    published_by   varchar(300) NOT NULL,
    published_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (blueprint, revision),
    CONSTRAINT blueprint_revisions_content UNIQUE (blueprint, sha256)
);
ALTER TABLE blueprints ADD CONSTRAINT blueprints_active_revision FOREIGN KEY (name, active_revision) REFERENCES blueprint_revisions (blueprint, revision);
-- The structure that a tenant's schema has to have. It is made when it is needed first: a major
-- version of PostgreSQL prints some definitions in another way than the one before.
CREATE TABLE blueprint_fingerprints (
    blueprint        varchar(63) NOT NULL,
    schema_version   integer NOT NULL,
    standard_version integer NOT NULL, -- 0: the blueprint does not extend standard
    postgres_version integer NOT NULL, -- major
    fingerprint      jsonb NOT NULL, -- definitions by object
    PRIMARY KEY (blueprint, schema_version, standard_version, postgres_version)
);

-- The migrations that were applied to each tenant schema. Written in the transaction that makes
-- the schema: without a row here, the schema with that name is not the tenant's. A blueprint
-- that extends standard and standard itself count separately.
CREATE TABLE tenant_migrations (
    tenant_id  uuid NOT NULL,
    blueprint  varchar(63) NOT NULL,
    version    integer NOT NULL,
    checksum   varchar(64) NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, blueprint, version)
);

-- The own steps of tenants: those that a blueprint adds to the seven. A row for each step and
-- attempt, written in the transaction that makes the schema. What was ever sent is undone when the
-- attempt is rolled back, and when the tenant is purged.
CREATE TABLE tenant_steps (
    tenant_id       uuid NOT NULL,
    attempt         integer NOT NULL,
    step            text NOT NULL CHECK (step ~ '^[A-Z][A-Z0-9_]{2,62}$'),
    after_step      text NOT NULL, -- one of the seven
    position        integer NOT NULL, -- in the blueprint
    revision        integer NOT NULL, -- of the blueprint
    state           text NOT NULL DEFAULT 'PENDING' CHECK (state IN ('PENDING', 'SENT', 'COMPLETED', 'ROLLED_BACK', 'UNDO_FAILED', 'UNDO_SKIPPED')),
    created_at      timestamptz NOT NULL DEFAULT now(),
    due_at          timestamptz, -- no request before; null: now
    outputs         jsonb, -- of this step, for its undo: the rollback deletes those of the tenant
    error           varchar(500), -- why the last request was not the last one
    webhook_id      uuid NOT NULL DEFAULT gen_random_uuid(), -- the same in each delivery
    deliveries      integer NOT NULL DEFAULT 0,
    sent_at         timestamptz, -- of the first delivery
    undo_webhook_id uuid NOT NULL DEFAULT gen_random_uuid(),
    undo_deliveries integer NOT NULL DEFAULT 0,
    undo_sent_at    timestamptz, -- of the first delivery since the undo began, or began again
    PRIMARY KEY (tenant_id, attempt, step)
);

-- One row for each invitation. The token itself is only in the mail.
CREATE TABLE tenant_invitations (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    tenant_id  uuid NOT NULL,
    user_id    uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz, -- its user chose a password
    revoked_at timestamptz, -- another one took its place, or the tenant was archived
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tenant_invitations_tenant ON tenant_invitations (tenant_id);

-- Logins for tenants' schemas that expire. The row is written in the transaction that
-- creates the role, and deleted in the one that drops it. The tenant's audit events
-- record the history. The password is not stored here.
CREATE TABLE tenant_credentials (
    id         uuid PRIMARY KEY,
    tenant_id  uuid NOT NULL,
    username   varchar(63) NOT NULL UNIQUE,
    webhook_id uuid, -- of the own step that the login is for; null: a caller opened it
    opened_at  timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    closed_at  timestamptz, -- closed before it expired, or found expired
    ended_at   timestamptz, -- it cannot connect and has no session any more; its role is still to be dropped
    failures   integer NOT NULL DEFAULT 0, -- failed tries in a row to end or drop the login
    retry_at   timestamptz                 -- not tried before; null: no try has failed
);
CREATE INDEX tenant_credentials_tenant ON tenant_credentials (tenant_id);
CREATE INDEX tenant_credentials_open ON tenant_credentials (coalesce(closed_at, expires_at)) WHERE ended_at IS NULL;
CREATE INDEX tenant_credentials_ended ON tenant_credentials (failures, ended_at) WHERE ended_at IS NOT NULL;

-- Stellar accounts whose sequence numbers are used, and the lease of each. A channel is
-- an account with a deployer. The holder identifies one lease: each run of a tenant and
-- each reconciler has its own.
CREATE TABLE stellar_accounts (
    network_id             varchar(64) NOT NULL,
    address                varchar(56) NOT NULL,
    sequence               bigint NOT NULL DEFAULT 0, -- the last one used; 0: read it from the network
    applied_sequence       bigint NOT NULL DEFAULT 0, -- the highest one of a transaction known to be applied
    holder                 uuid,
    lease_tenant           uuid,
    lease_epoch            bigint,
    expires_at             timestamptz,
    lease_length           interval, -- null: not known
    deployer               varchar(56),
    channel                integer CHECK (channel >= 0),
    quarantined_until      timestamptz,  -- not leased before: the outcome of a transaction is unknown
    disabled_reason        varchar(300), -- why the account cannot be used; null: it can
    balance                bigint,       -- stroops, as read last less what the account paid since
    transactions_applied bigint NOT NULL DEFAULT 0, -- those that were applied, with or without success
    last_used_at           timestamptz,
    checked_at             timestamptz,
    PRIMARY KEY (network_id, address),
    CONSTRAINT stellar_accounts_channel UNIQUE (network_id, deployer, channel),
    CONSTRAINT stellar_accounts_deployer_channel CHECK ((deployer IS NULL) = (channel IS NULL))
);

-- Every transaction. The row is committed before the transaction is sent.
CREATE TABLE stellar_transactions (
    hash             varchar(64) PRIMARY KEY,
    network_id       varchar(64) NOT NULL,
    source           varchar(56) NOT NULL,
    sequence         bigint NOT NULL,
    envelope         text NOT NULL,
    purpose          text NOT NULL CHECK (purpose IN ('UPLOAD', 'CREATE', 'RESTORE', 'EXTEND', 'FUND', 'STATUS', 'ANCHOR', 'UPGRADE')),
    tenant_id        uuid, -- null: for several contracts, or for all
    contract_id      varchar(56),
    state            text NOT NULL DEFAULT 'SIGNED' CHECK (state IN ('SIGNED', 'SUCCEEDED', 'FAILED', 'REJECTED', 'EXPIRED')),
    valid_until      timestamptz NOT NULL,
    submitted_ledger bigint NOT NULL,
    max_fee          bigint NOT NULL,
    ledger           bigint,
    fee_charged      bigint,
    detail           varchar(200),
    created_at       timestamptz NOT NULL DEFAULT now(),
    resolved_at      timestamptz
);
CREATE INDEX stellar_transactions_open_by_source ON stellar_transactions (network_id, source, sequence) WHERE state = 'SIGNED';
CREATE INDEX stellar_transactions_tenant ON stellar_transactions (tenant_id);
CREATE INDEX stellar_transactions_contract ON stellar_transactions (contract_id) WHERE contract_id IS NOT NULL;
-- A contract has one open transaction at most, however many channels there are.
CREATE UNIQUE INDEX stellar_transactions_open ON stellar_transactions (network_id, contract_id)
    WHERE state = 'SIGNED' AND contract_id IS NOT NULL;

-- Number and cost of the applied transactions by purpose, in slots as in tenant_counts.
-- Exact without a sum over the log. A row appears with the first transaction.
CREATE TABLE stellar_totals (
    purpose      text NOT NULL,
    slot         smallint NOT NULL,
    transactions bigint NOT NULL DEFAULT 0, -- applied, with or without success
    stroops      numeric NOT NULL DEFAULT 0,
    PRIMARY KEY (purpose, slot)
) WITH (fillfactor = 30);

-- The last known state of each contract, and when it is due for reconciliation.
-- Reconcilers add the rows: a provisioning writes nothing here.
CREATE TABLE tenant_contracts (
    tenant_id       uuid PRIMARY KEY, -- or the registry's id: the contract that has anchors of the registry chain
    contract_id     varchar(56) NOT NULL,
    due_at          timestamptz NOT NULL DEFAULT now(),
    failures        integer NOT NULL DEFAULT 0, -- failed reconciliations in a row
    last_error      varchar(500),               -- of the last reconciliation; null: it succeeded
    upgrade_to      varchar(64),                -- hash of the code to upgrade to
    -- What the ledger showed last.
    checked_at      timestamptz,
    ledger          bigint,
    state           text CHECK (state IN ('LIVE', 'EXPIRING', 'EXPIRED', 'MISSING', 'MISMATCH')),
    live_until      bigint, -- ledger
    wasm_hash       varchar(64),
    contract_status text CHECK (contract_status IN ('ACTIVE', 'SUSPENDED', 'ARCHIVED')),
    anchor_seq      bigint, -- the anchored audit event,
    anchor_root     bytea,  -- its hash,
    anchor_ledger   bigint, -- and the ledger that recorded it
    anchored_at     timestamptz
);
CREATE INDEX tenant_contracts_due ON tenant_contracts (due_at);
-- Those that somebody should look at: few.
CREATE INDEX tenant_contracts_attention ON tenant_contracts (tenant_id) WHERE state <> 'LIVE' OR last_error IS NOT NULL;

-- +goose StatementBegin
-- Makes the contract due when its tenant is suspended, resumed, archived or unarchived:
-- the contract must store the new status.
CREATE FUNCTION tenant_contract_due() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tenant_contracts (tenant_id, contract_id) VALUES (NEW.id, NEW.soroban_contract_id)
    ON CONFLICT (tenant_id) DO UPDATE SET due_at = now(), failures = 0;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER tenants_contract_due AFTER UPDATE OF status ON tenants FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.soroban_contract_id IS NOT NULL
        AND (OLD.status IN ('SUSPENDED', 'ARCHIVED') OR NEW.status IN ('SUSPENDED', 'ARCHIVED')))
    EXECUTE FUNCTION tenant_contract_due();

-- One event for each change and each refused request. No foreign key: events outlive
-- the tenant's row.
CREATE TABLE audit_events (
    tenant_id   uuid NOT NULL, -- all zeros: the registry's own chain
    seq         bigint NOT NULL,
    at          timestamptz NOT NULL,
    action      varchar(64) NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('DONE', 'REJECTED')),
    -- A purge deletes these three and stores the hashes of the salt with each value. Without
    -- the salt, nobody can find out a value by hashing guesses.
    salt        uuid, -- random
    actor       jsonb,
    detail      jsonb,
    actor_hash  bytea,
    detail_hash bytea,
    hash        bytea NOT NULL CHECK (octet_length(hash) = 32),
    position    bigint, -- in the feed of all events, given after the commit; null: not yet
    PRIMARY KEY (tenant_id, seq),
    CONSTRAINT audit_events_redacted CHECK (num_nulls(salt, actor, detail) = 0 AND num_nonnulls(actor_hash, detail_hash) = 0
        OR num_nonnulls(salt, actor, detail) = 0 AND num_nulls(actor_hash, detail_hash) = 0 AND octet_length(actor_hash) = 32 AND octet_length(detail_hash) = 32)
);

CREATE INDEX audit_events_unnumbered ON audit_events (at) WHERE position IS NULL;
CREATE UNIQUE INDEX audit_events_position ON audit_events (position) WHERE position IS NOT NULL;
-- What went live and what failed, by time.
CREATE INDEX audit_events_throughput ON audit_events (at, action) WHERE action IN ('tenant.activate', 'tenant.fail') AND outcome = 'DONE';

-- The last position in the feed of all events. Its lock makes one transaction at a time give positions.
CREATE TABLE audit_feed (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL DEFAULT 0
);
INSERT INTO audit_feed DEFAULT VALUES;

-- +goose StatementBegin
-- Gives positions in the feed to committed events, at most p_limit and those before them in their
-- chains, and returns how many. An event gets its position after all events before it in its chain.
-- Open transactions are not waited for: their events, and events that they have locked, get a
-- position later. It runs as the owner, so that servers whose user cannot change events read the feed.
CREATE FUNCTION audit_number(p_limit integer) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last  bigint;
    given bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM public.audit_events WHERE position IS NULL) THEN
        RETURN 0;
    END IF;
    SELECT position INTO last FROM public.audit_feed FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0; -- Another transaction gives them.
    END IF;
    -- Each part takes time in proportion to the events without a position: looking for earlier ones
    -- once for each event made a feed that was not read for long unreadable.
    WITH oldest AS (
        SELECT x.tenant_id, x.last, (SELECT coalesce(max(n.seq), 0) FROM public.audit_events n
            WHERE n.tenant_id = x.tenant_id AND n.seq < x.first AND n.position IS NOT NULL) AS numbered
          FROM (SELECT o.tenant_id, min(o.seq) AS first, max(o.seq) AS last
                  FROM (SELECT tenant_id, seq FROM public.audit_events WHERE position IS NULL ORDER BY at LIMIT p_limit) o
                 GROUP BY o.tenant_id) x
    ), chains AS (
        SELECT o.*, (SELECT min(b.seq) FROM public.audit_events b WHERE b.tenant_id = o.tenant_id AND b.seq > o.numbered) AS first FROM oldest o
    ), free AS (
        SELECT e.tenant_id, e.seq, e.at, c.first FROM chains c JOIN public.audit_events e
            ON e.tenant_id = c.tenant_id AND e.seq > c.numbered AND e.seq <= c.last AND e.position IS NULL
        FOR UPDATE OF e SKIP LOCKED
    ), ranked AS (
        SELECT f.*, row_number() OVER chain AS rank, max(f.at) OVER chain AS ordered_at FROM free f
        WINDOW chain AS (PARTITION BY f.tenant_id ORDER BY f.seq)
    ), numbered AS ( -- seq has no gaps in a chain, so a gap here is an event that is locked.
        SELECT tenant_id, seq, last + row_number() OVER (ORDER BY ordered_at, tenant_id, seq) AS position
          FROM ranked WHERE seq = first + rank - 1
    )
    UPDATE public.audit_events e SET position = n.position FROM numbered n WHERE e.tenant_id = n.tenant_id AND e.seq = n.seq;
    GET DIAGNOSTICS given = ROW_COUNT;
    UPDATE public.audit_feed SET position = last + given;
    RETURN given;
END $$;
-- +goose StatementEnd

-- The head of the registry's own chain.
CREATE TABLE registry_audit (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    seq      bigint NOT NULL DEFAULT 0,
    head     bytea
);
INSERT INTO registry_audit DEFAULT VALUES;

-- The hash of an event covers the previous hash, the event's place, time, action and outcome
-- and, of actor and detail, the hashes of the salt with them. Times are whole microseconds:
-- PostgreSQL 13 and 14 print fractions differently.
CREATE FUNCTION audit_hash(prev bytea, tenant uuid, seq bigint, at timestamptz, action text, outcome text, salt uuid, actor jsonb, detail jsonb)
RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256(coalesce(prev, ''::bytea) || convert_to(jsonb_build_array(
        tenant, seq, (extract(epoch FROM at) * 1000000)::bigint, action, outcome)::text, 'UTF8')
        || sha256(uuid_send(salt) || convert_to(actor::text, 'UTF8')) || sha256(uuid_send(salt) || convert_to(detail::text, 'UTF8')))
$$;

-- +goose StatementBegin
-- Appends an event to a tenant's chain, or to the registry's chain if p_tenant is null
-- or unknown. The row lock on the head serializes the writers of one chain.
CREATE FUNCTION audit_append(p_tenant uuid, p_action text, p_outcome text, p_actor jsonb, p_detail jsonb)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_at     timestamptz := clock_timestamp();
    v_tenant uuid := p_tenant;
    v_salt   uuid := gen_random_uuid();
    v_seq    bigint;
    v_head   bytea;
BEGIN
    UPDATE tenants SET audit_seq = audit_seq + 1,
           audit_head = audit_hash(audit_head, id, audit_seq + 1, v_at, p_action, p_outcome, v_salt, p_actor, p_detail)
     WHERE id = p_tenant RETURNING audit_seq, audit_head INTO v_seq, v_head;
    IF NOT FOUND THEN
        v_tenant := '00000000-0000-0000-0000-000000000000';
        UPDATE registry_audit SET seq = seq + 1,
               head = audit_hash(head, v_tenant, seq + 1, v_at, p_action, p_outcome, v_salt, p_actor, p_detail)
         RETURNING seq, head INTO v_seq, v_head;
    END IF;
    INSERT INTO audit_events (tenant_id, seq, at, action, outcome, salt, actor, detail, hash)
    VALUES (v_tenant, v_seq, v_at, p_action, p_outcome, v_salt, p_actor, p_detail, v_head);
END $$;
-- +goose StatementEnd

-- Keys for the API. Only the SHA-256 of a key's secret part is stored.
CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    name         varchar(100) NOT NULL,
    prefix       varchar(16) NOT NULL CONSTRAINT api_keys_prefix UNIQUE,
    secret_hash  bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    scopes       text[] NOT NULL,
    rate_limit   integer CHECK (rate_limit > 0), -- requests per minute; null: the server's
    only_metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(only_metadata) = 'object'), -- of its tenants; {}: all
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
CREATE UNIQUE INDEX api_keys_name ON api_keys (lower(name)) WHERE revoked_at IS NULL;

-- Sessions of people who are signed in to the console. Only the SHA-256 of a session's token is stored. A row is deleted when the
-- person signs out, and some time after it timed out: it has the name of a person.
CREATE TABLE console_sessions (
    token_hash   bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    key_id       uuid REFERENCES api_keys ON DELETE CASCADE, -- that the person signed in with, and whose name, scopes and tenants it has; null: a token of the issuer
    subject      varchar(255), -- of that token, as the next two
    name         varchar(255),
    scopes       text[],
    idle_timeout interval NOT NULL CHECK (idle_timeout > interval '0'),
    made_by      name NOT NULL DEFAULT current_user, -- the database user: what a user with fewer privileges made is no session for others
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(), -- precise to a minute
    expires_at   timestamptz NOT NULL,
    CONSTRAINT console_sessions_person CHECK (num_nonnulls(key_id, subject) = 1 AND (subject IS NULL) = (scopes IS NULL) AND (subject IS NOT NULL OR name IS NULL))
);
CREATE INDEX console_sessions_key ON console_sessions (key_id) WHERE key_id IS NOT NULL;
CREATE INDEX console_sessions_subject ON console_sessions (subject) WHERE subject IS NOT NULL;
CREATE INDEX console_sessions_end ON console_sessions (expires_at);

-- Responses to requests with an Idempotency-Key.
CREATE TABLE idempotency_keys (
    scope        varchar(255) NOT NULL,
    key          varchar(255) NOT NULL,
    request_hash bytea NOT NULL CHECK (octet_length(request_hash) = 32),
    response     jsonb, -- null only during the transaction of the first request
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- What is kept of the data of a purged tenant.
CREATE TABLE purge_certificates (
    tenant_id   uuid PRIMARY KEY,
    certificate jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- +goose StatementBegin
-- Moves the checkpoint of a claimed tenant and records what its schema is made from, or fails with SQLSTATE HT001 if the run was
-- superseded. It stores the time, so that the log can show the duration of each of the
-- steps that share a transaction.
CREATE FUNCTION tenant_fence(p_id uuid, p_epoch bigint, p_from text, p_to text, p_user uuid, p_revision integer, p_version integer)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tenants SET checkpoint = p_to, admin_user_id = p_user, blueprint_revision = p_revision, schema_version = p_version
     WHERE id = p_id AND run_epoch = p_epoch AND checkpoint = p_from AND status = 'PROVISIONING' AND rollback_target IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the run of tenant % with epoch % was superseded', p_id, p_epoch USING ERRCODE = 'HT001';
    END IF;
    PERFORM set_config('healthcare.timestamp_0', clock_timestamp()::text, true);
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
-- Copies the administrator's names and address from the registry to the users table of the
-- tenant, with the hash of a new password: null keeps the old one, '' removes it. It runs as
-- the owner, also for servers whose user reaches no schema of a tenant. Such a user can choose
-- the name of a schema, so only one that tenant_migrations has is written.
CREATE FUNCTION tenant_update_admin(p_tenant uuid, p_password text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    t       record;
    changed bigint;
BEGIN
    SELECT schema_name, blueprint, admin_user_id, admin_email, admin_first_name, admin_last_name INTO t FROM public.tenants
     WHERE id = p_tenant AND EXISTS (SELECT FROM public.tenant_migrations m WHERE m.tenant_id = p_tenant);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'tenant_migrations has no version of a schema of the tenant %, so no administrator is changed; restore the registry from a backup', p_tenant USING ERRCODE = 'HT002';
    END IF;
    IF t.blueprint <> 'standard' AND EXISTS (SELECT FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = t.schema_name::name AND c.relname = 'users' AND NOT g.tgisinternal) THEN -- They would run as the owner of this function.
        RAISE EXCEPTION 'the blueprint % has triggers on users, so its administrators are changed by servers with a worker; send the request to one', t.blueprint USING ERRCODE = 'HT003';
    END IF;
    EXECUTE format('UPDATE %I.users SET email = $2, first_name = $3, last_name = $4, updated_at = now(),
            password_hash = CASE WHEN $5 IS NULL THEN password_hash ELSE nullif($5, '''') END
        WHERE id = $1 AND ($5 IS NOT NULL OR (email, first_name, last_name) IS DISTINCT FROM ($2, $3, $4))', t.schema_name)
        USING t.admin_user_id, t.admin_email, t.admin_first_name, t.admin_last_name, p_password;
    GET DIAGNOSTICS changed = ROW_COUNT; -- FOUND says nothing about EXECUTE.
    IF changed = 0 AND p_password IS NOT NULL THEN
        RAISE EXCEPTION 'the password is not set: %.users has no row with the id of the administrator, %, or a trigger keeps it from being changed; put that right', t.schema_name, t.admin_user_id USING ERRCODE = 'HT002';
    END IF;
END $$;
-- +goose StatementEnd

-- The registry itself: one row. The id tells it apart from other registries, also on the
-- same server. Only members of connect_role may connect to this database, besides its
-- owner: the role has CONNECT and nothing else, and the logins of tenants are its members.
-- schema_owner owns the schemas of tenants and all that blueprints make in them. It has no
-- other privilege: the SQL of a blueprint runs as this role.
CREATE TABLE registry (
    single       boolean PRIMARY KEY DEFAULT true CHECK (single),
    id           uuid NOT NULL,
    connect_role name NOT NULL,
    schema_owner name NOT NULL,
    -- Counts the restores from a backup that were accepted. While there is evidence of one, no run begins.
    timeline         integer NOT NULL DEFAULT 1 CHECK (timeline > 0),
    restore_evidence varchar(300),
    evidence_tenant  uuid, -- whose contract shows it
    evidence_ledger  bigint, -- the newest ledger when it was found
    accepted_ledger  bigint NOT NULL DEFAULT 0, -- anchors up to here are from before the restores
    created_at   timestamptz NOT NULL DEFAULT now()
);

-- +goose StatementBegin
-- Refuses a run of a tenant in a registry that was restored from a backup: it could make again what
-- a later state of the registry has made.
CREATE FUNCTION tenant_check_restored() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    evidence text := (SELECT restore_evidence FROM public.registry);
BEGIN
    IF evidence IS NOT NULL THEN
        RAISE EXCEPTION 'the registry was restored from a backup, or events were deleted: %; find out which, and if it is the one to go on with, run tenant-api platform accept-restore --reason TEXT', evidence USING ERRCODE = 'HT002';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER tenants_check_restored_new BEFORE INSERT ON tenants FOR EACH ROW EXECUTE FUNCTION tenant_check_restored();
-- A claim begins a run.
CREATE TRIGGER tenants_check_restored_claim BEFORE UPDATE OF run_owner ON tenants FOR EACH ROW
    WHEN (NEW.run_owner IS DISTINCT FROM OLD.run_owner AND NEW.run_owner IS NOT NULL) EXECUTE FUNCTION tenant_check_restored();
-- +goose StatementBegin
DO $$
DECLARE
    made registry;
BEGIN
    made.id := gen_random_uuid();
    made.connect_role := 'healthcare_connect_' || left(replace(made.id::text, '-', ''), 16);
    made.schema_owner := 'healthcare_schemas_' || left(replace(made.id::text, '-', ''), 16);
    INSERT INTO registry (id, connect_role, schema_owner) VALUES (made.id, made.connect_role, made.schema_owner);
    EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', made.connect_role);
    EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', made.schema_owner);
    EXECUTE format('GRANT %I TO CURRENT_USER %s', made.schema_owner,
        CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'WITH INHERIT TRUE, SET TRUE' ELSE '' END);
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), made.connect_role);
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I', current_database(), current_user);
    -- PostgreSQL only warns a user that does not own the database: nothing was revoked.
    IF has_database_privilege('public', current_database(), 'CONNECT') OR has_database_privilege('public', current_database(), 'TEMPORARY') THEN
        RAISE EXCEPTION 'every role may connect to the database %; have its owner or a superuser run: ALTER DATABASE % OWNER TO %',
            current_database(), quote_ident(current_database()), quote_ident(current_user) USING ERRCODE = 'HT002';
    END IF;
    -- Nor was anything granted, which shows where CONNECT had been taken from PUBLIC before.
    IF NOT has_database_privilege(made.connect_role, current_database(), 'CONNECT') THEN
        RAISE EXCEPTION 'the role % may not let logins of tenants connect to the database %; have its owner or a superuser run: GRANT CONNECT ON DATABASE % TO % WITH GRANT OPTION',
            quote_ident(current_user), quote_ident(current_database()), quote_ident(current_database()), quote_ident(current_user) USING ERRCODE = 'HT002';
    END IF;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
DO $$
BEGIN
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    -- Before PostgreSQL 15, a superuser owns the schema. What others can make in it, this
    -- program's own statements could find.
    IF has_schema_privilege('public', 'public', 'CREATE') THEN
        RAISE EXCEPTION 'every role may create objects in the schema public of the database %; have a superuser run there: ALTER SCHEMA public OWNER TO %',
            current_database(), quote_ident(current_user) USING ERRCODE = 'HT002';
    END IF;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
-- Takes from all other roles what ALTER DEFAULT PRIVILEGES of this user, or of the schema owner,
-- gave them on what was just made: the tables and functions of a schema whose names match a LIKE
-- pattern and, if that is '%', the schema itself. Without such defaults it costs one index look-up.
CREATE FUNCTION revoke_defaults(p_schema text, p_patterns text[]) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    o  record;
    us oid[] := ARRAY(SELECT oid FROM pg_roles WHERE rolname IN (current_user, (SELECT schema_owner FROM public.registry)));
BEGIN
    IF NOT EXISTS (SELECT FROM pg_default_acl WHERE defaclrole = ANY (us)) THEN
        RETURN;
    END IF;
    FOR o IN
        SELECT DISTINCT kind, object, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS grantee
        FROM (
            SELECT 'SCHEMA' AS kind, quote_ident(nspname) AS object, nspacl AS acl, nspowner AS owner FROM pg_namespace
                WHERE nspname = p_schema AND p_patterns = '{%}'
            UNION ALL SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass::text, c.relacl, c.relowner
                FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relname LIKE ANY (p_patterns)
                WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_namespace'::regclass AND d.refobjid = quote_ident(p_schema)::regnamespace
            UNION ALL SELECT 'ROUTINE', p.oid::regprocedure::text, p.proacl, p.proowner
                FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid AND p.proname LIKE ANY (p_patterns)
                WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_namespace'::regclass AND d.refobjid = quote_ident(p_schema)::regnamespace
        ) made, aclexplode(acl) WHERE grantee <> owner AND owner = ANY (us)
    LOOP
        EXECUTE format('REVOKE ALL ON %s %s FROM %s', o.kind, o.object, o.grantee);
    END LOOP;
END $$;
-- +goose StatementEnd
-- The registry's own tables and functions. What else is in the schema is the platform's.
SELECT revoke_defaults('public', '{registry%,tenant%,blueprint%,provisioning_%,stellar_%,audit_%,api_keys,console_sessions,idempotency_keys,purge_certificates,healthcare_%,revoke_defaults}');

REVOKE EXECUTE ON FUNCTION tenant_fence(uuid, bigint, text, text, uuid, integer, integer), tenant_count(), tenant_not_archived(), tenant_check_restored(), tenant_name_confusable(), tenant_contract_due(), tenant_update_admin(uuid, text), revoke_defaults(text, text[]),
    audit_number(integer), audit_append(uuid, text, text, jsonb, jsonb), audit_hash(bytea, uuid, bigint, timestamptz, text, text, uuid, jsonb, jsonb) FROM PUBLIC;
