-- Channel accounts, and what the platform knows of each contract's life.

-- +goose Up

ALTER TYPE stellar_transaction_purpose ADD VALUE 'FUND';
ALTER TYPE stellar_transaction_purpose ADD VALUE 'STATUS';
ALTER TYPE stellar_transaction_purpose ADD VALUE 'ANCHOR';
ALTER TYPE stellar_transaction_purpose ADD VALUE 'UPGRADE';

-- A channel is an account with a deployer. Who holds a lease is told apart by
-- holder: a run of a tenant, or whoever looks after contracts, has one of its own.
ALTER TABLE stellar_accounts
    ADD COLUMN holder     uuid,
    ADD COLUMN deployer   varchar(56),
    ADD COLUMN channel    integer CHECK (channel >= 0),
    ADD COLUMN set_aside  timestamptz,  -- nobody's until then: a transaction's outcome is not known
    ADD COLUMN out_of_use varchar(300), -- why nobody can use it
    ADD COLUMN applied    bigint NOT NULL DEFAULT 0, -- the highest sequence number of a transaction known to be applied
    ADD COLUMN balance    bigint,       -- stroops, by the last look less what it paid since
    ADD COLUMN carried    bigint NOT NULL DEFAULT 0,
    ADD COLUMN used_at    timestamptz,
    ADD COLUMN checked_at timestamptz,
    ADD CONSTRAINT stellar_accounts_channel UNIQUE (network_id, deployer, channel),
    ADD CONSTRAINT stellar_accounts_both CHECK ((deployer IS NULL) = (channel IS NULL));
UPDATE stellar_accounts SET holder = gen_random_uuid() WHERE lease_tenant IS NOT NULL;

-- What is done for many contracts, or for all, is no tenant's.
ALTER TABLE stellar_transactions ALTER COLUMN tenant_id DROP NOT NULL;
UPDATE stellar_transactions SET tenant_id = NULL WHERE contract_id IS NULL;
-- However many channels there are: about one contract there is one transaction at a time.
CREATE UNIQUE INDEX stellar_transactions_open ON stellar_transactions (network_id, contract_id)
    WHERE state = 'SIGNED' AND contract_id IS NOT NULL;
CREATE INDEX stellar_transactions_contract ON stellar_transactions (contract_id) WHERE contract_id IS NOT NULL;

-- What transactions have cost so far, by purpose: exact, without adding up the log.
-- Sixteen slots, so that connections seldom wait for each other; the sum counts.
CREATE TABLE stellar_totals (
    purpose      stellar_transaction_purpose NOT NULL,
    slot         smallint NOT NULL,
    transactions bigint NOT NULL DEFAULT 0, -- applied, with or without success
    stroops      numeric NOT NULL DEFAULT 0,
    PRIMARY KEY (purpose, slot)
) WITH (fillfactor = 30);
INSERT INTO stellar_totals (purpose, slot, transactions, stroops)
    SELECT purpose, 0, count(*), coalesce(sum(fee_charged), 0) FROM stellar_transactions WHERE state IN ('SUCCEEDED', 'FAILED') GROUP BY purpose;

-- What is known of each contract, and when it is looked at again. Contracts come
-- in here in the background: a provisioning writes nothing of it.
CREATE TABLE tenant_contracts (
    tenant_id    uuid PRIMARY KEY,
    contract_id  varchar(56) NOT NULL,
    due_at       timestamptz NOT NULL DEFAULT now(),
    tries        integer NOT NULL DEFAULT 0, -- looks in a row that left something undone
    problem      varchar(500),               -- what was left undone, and why
    upgrade_to   varchar(64),                -- hash of the code that it is to run
    -- What the ledger showed last.
    checked_at   timestamptz,
    ledger       bigint,
    life         varchar(16),
    live_until   bigint,      -- ledger
    wasm_hash    varchar(64),
    says_archived boolean,
    anchor_seq   bigint,      -- the audit event that is anchored,
    anchor_root  bytea,       -- its hash,
    anchor_ledger bigint,     -- and the ledger in which it was
    anchored_at  timestamptz
);
CREATE INDEX tenant_contracts_due ON tenant_contracts (due_at);

-- +goose StatementBegin
-- An archived or restored tenant's contract is to say so.
CREATE FUNCTION tenant_contract_due() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tenant_contracts (tenant_id, contract_id) VALUES (NEW.id, NEW.soroban_contract_id)
    ON CONFLICT (tenant_id) DO UPDATE SET due_at = now(), tries = 0;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER tenants_contract_due AFTER UPDATE OF status ON tenants FOR EACH ROW
    WHEN (OLD.status IS DISTINCT FROM NEW.status AND NEW.soroban_contract_id IS NOT NULL AND (OLD.status = 'ARCHIVED' OR NEW.status = 'ARCHIVED'))
    EXECUTE FUNCTION tenant_contract_due();
REVOKE EXECUTE ON FUNCTION tenant_contract_due() FROM PUBLIC;
