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
    ADD COLUMN balance    bigint,       -- stroops, by the last look less what it paid since
    ADD COLUMN carried    bigint NOT NULL DEFAULT 0,
    ADD COLUMN used_at    timestamptz,
    ADD COLUMN checked_at timestamptz,
    ADD CONSTRAINT stellar_accounts_channel UNIQUE (network_id, deployer, channel),
    ADD CONSTRAINT stellar_accounts_both CHECK ((deployer IS NULL) = (channel IS NULL));
UPDATE stellar_accounts SET holder = gen_random_uuid() WHERE lease_tenant IS NOT NULL;

-- What is done for many contracts at once is no tenant's.
ALTER TABLE stellar_transactions ALTER COLUMN tenant_id DROP NOT NULL;
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
