-- The three tables of each tenant, and the end of the chain of its audit logs.
--
-- +goose Up
CREATE TABLE roles (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name        varchar(255) NOT NULL UNIQUE,
    description text,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE users (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email         varchar(255) NOT NULL UNIQUE,
    password_hash varchar(255), -- argon2id; null: no usable password
    first_name    varchar(255) NOT NULL,
    last_name     varchar(255) NOT NULL,
    is_active     boolean NOT NULL DEFAULT true,
    role_id       uuid NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE audit_logs (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id     uuid,
    action      varchar(255) NOT NULL,
    entity_type varchar(255) NOT NULL,
    entity_id   varchar(255),
    changes     jsonb,
    created_at  timestamptz NOT NULL DEFAULT now(),
    seq         bigint NOT NULL UNIQUE, -- set by the trigger, as are the hashes
    prev_hash   bytea,
    hash        bytea NOT NULL
);
CREATE TABLE audit_head ( -- the end of the chain in audit_logs; only the trigger may read and write it
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    seq      bigint NOT NULL DEFAULT 0,
    hash     varchar(64) -- hex; a bytea would need a TOAST table
);
INSERT INTO audit_head (seq) VALUES (0);

-- Each row of audit_logs has the hash of its content and of the previous hash, so a changed
-- or deleted row is detectable. The head, which the tenant's role can neither read nor write,
-- shows whether the last rows are missing. The caller's values of created_at, seq and the
-- hashes are overwritten.
--
-- PostgreSQL looks up a function among all of its name in the database, so one name in all schemas
-- would make each new tenant slower. The name ends in a digest of the schema's name. Each EXECUTE
-- has one statement, because Citus sends its text to the other nodes.
-- +goose StatementBegin
DO $do$
DECLARE
    chain text := 'audit_chain_' || left(encode(sha256(convert_to(current_schema(), 'UTF8')), 'hex'), 8);
BEGIN
    EXECUTE 'CREATE FUNCTION ' || chain || $function$() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    log       record;
    head_name name := 'audit_head';
    head      record;
BEGIN
    SELECT c.relnamespace, n.nspname, c.relname INTO STRICT log
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = TG_RELID;
    IF log.relname <> 'audit_logs' THEN -- A shard, on a worker of Citus; the head's has another number.
        SELECT h.relname INTO STRICT head_name
          FROM pg_depend d JOIN pg_class h ON h.oid = d.objid
         WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = log.relnamespace AND d.classid = 'pg_class'::regclass
           AND h.relkind = 'r' AND h.relname ~ '^audit_head_[0-9]+$';
    END IF;
    -- The row's lock serializes the writers of one tenant's chain, and no others.
    EXECUTE format('SELECT seq, decode(hash, ''hex'') AS hash FROM %I.%I FOR UPDATE', log.nspname, head_name) INTO head;
    IF head.seq IS NULL THEN
        RAISE EXCEPTION 'the table %.% has no row; restore it from a backup', log.nspname, head_name;
    END IF;
    NEW.created_at := clock_timestamp();
    NEW.seq := head.seq + 1;
    NEW.prev_hash := head.hash;
    NEW.hash := sha256(coalesce(NEW.prev_hash, ''::bytea) || convert_to(jsonb_build_array(
        NEW.seq, NEW.id, NEW.user_id, NEW.action, NEW.entity_type, NEW.entity_id, NEW.changes,
        -- Whole microseconds, as in the registry's audit_hash.
        (extract(epoch FROM NEW.created_at) * 1000000)::bigint)::text, 'UTF8'));
    -- A row whose id exists is refused or, ON CONFLICT DO NOTHING, skipped.
    EXECUTE format('UPDATE %I.%I SET seq = $1, hash = encode($2, ''hex'') WHERE NOT EXISTS (SELECT FROM %s WHERE id = $3)',
        log.nspname, head_name, TG_RELID::regclass) USING NEW.seq, NEW.hash, NEW.id;
    RETURN NEW;
END $$
$function$;
    EXECUTE 'CREATE TRIGGER audit_chain BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION ' || chain || '()';
END $do$;
-- +goose StatementEnd

-- Each foreign key that is checked in a new schema leaves a plan behind in the connection, and
-- a connection that makes many tenants would grow slower: the rows come before the keys.
-- +blueprint seed
ALTER TABLE users ADD CONSTRAINT users_role_id_fkey FOREIGN KEY (role_id) REFERENCES roles (id);
CREATE INDEX users_role_id ON users (role_id);
ALTER TABLE audit_logs ADD CONSTRAINT audit_logs_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id);
CREATE INDEX audit_logs_user_id ON audit_logs (user_id);
