-- As the registry's owner or a superuser, in the registry's database: once the registry
-- exists, and again after each upgrade.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'platform_server') THEN
        CREATE ROLE platform_server LOGIN PASSWORD 'from-your-secret-store';
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO platform_server', current_database());
END $$;
GRANT USAGE ON SCHEMA public TO platform_server;
-- Versions, and what only workers write.
GRANT SELECT ON registry, healthcare_migrations, tenant_migrations, tenant_credentials, purge_certificates, river_migration TO platform_server;
-- Blueprints are published by the registry's owner.
GRANT SELECT ON blueprints, blueprint_revisions TO platform_server;
-- Tenants. Their schemas, users and the times of their moves are the workers'.
GRANT SELECT ON tenants TO platform_server;
GRANT INSERT (id, name, name_key, name_skeleton, name_scripts, allow_confusable_name, schema_name, status, admin_email, admin_first_name, admin_last_name, admin_password_hash, external_id,
    metadata, managed_by, locale, blueprint, variables, traceparent, deletion_protection, without_contract, without_users, run_owner, run_epoch, run_expires_at, run_lease, audit_seq, audit_head) ON tenants TO platform_server;
GRANT UPDATE (name, name_key, name_skeleton, name_scripts, allow_confusable_name, status, admin_email, admin_first_name, admin_last_name, admin_password_hash, soroban_contract_id,
    provisioning_error, external_id, metadata, managed_by, locale, variables, deletion_protection, hold_reason, hold_by, hold_since, welcome_email, welcome_email_serial, welcome_email_due_at, welcome_email_failures,
    welcome_email_unanswered, welcome_email_claim, invitation_expires_at, invitation_sent_at, invitation_accepted_at, invitation_revoked_at, invitation_reminder_at, invitation_reminder_tries, failure_email_due_at, version, updated_at, attempt, checkpoint, run_owner, run_epoch, run_expires_at, run_lease,
    job_id, last_job_id, move_job_id, audit_seq, audit_head) ON tenants TO platform_server;
GRANT SELECT, INSERT, UPDATE ON provisioning_logs, tenant_contracts, idempotency_keys TO platform_server;
GRANT USAGE ON SEQUENCE provisioning_log_seq TO platform_server;
-- Own steps: they are in the log, and an undo can be skipped. Workers send them.
GRANT SELECT, UPDATE (state, due_at) ON tenant_steps TO platform_server;
GRANT SELECT, UPDATE ON tenant_counts, tenant_name_locks TO platform_server;
GRANT SELECT, INSERT, UPDATE (used_at, revoked_at) ON tenant_invitations TO platform_server;
GRANT EXECUTE ON FUNCTION tenant_update_admin(uuid, text) TO platform_server;
-- The audit log: events are added, and never changed.
GRANT SELECT, INSERT ON audit_events TO platform_server;
GRANT SELECT, UPDATE ON registry_audit TO platform_server;
GRANT EXECUTE ON FUNCTION audit_number(integer), audit_append(uuid, text, text, jsonb, jsonb), audit_hash(bytea, uuid, bigint, timestamptz, text, text, uuid, jsonb, jsonb) TO platform_server;
-- API keys: they are checked, and never made.
GRANT SELECT, UPDATE (last_used_at) ON api_keys TO platform_server;
-- Sessions of the console: they are made, used and ended, and never changed.
GRANT SELECT, INSERT (token_hash, key_id, subject, name, scopes, idle_timeout, expires_at), UPDATE (last_seen_at), DELETE ON console_sessions TO platform_server;
-- Jobs: they are added and read, and never taken.
GRANT SELECT, INSERT, UPDATE (kind) ON river_job TO platform_server;
GRANT USAGE ON SEQUENCE river_job_id_seq TO platform_server;
-- When a worker was seen, for readiness and metrics.
GRANT SELECT ON river_queue, river_leader TO platform_server;
-- Contracts that a request reconciles.
GRANT SELECT, INSERT, UPDATE ON stellar_accounts, stellar_transactions, stellar_totals TO platform_server;
