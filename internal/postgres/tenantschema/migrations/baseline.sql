-- What a new tenant gets: version 1 of the tenant schema, role and grants.
--
-- {{schema}} and {{role}} stand for quoted identifiers. A line "-- part: NAME"
-- begins a part; the seed rows go in between "tables" and "constraints", because
-- each foreign key that is checked in a new schema leaves a plan behind in the
-- connection, and a connection that makes many tenants would grow slower.
-- Statements end with a semicolon at the end of a line.

-- part: schema
CREATE ROLE {{role}} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
CREATE SCHEMA {{schema}};

-- part: tables
CREATE TABLE {{schema}}.roles (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name        varchar(255) NOT NULL UNIQUE,
    description text,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE {{schema}}.users (
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
CREATE TABLE {{schema}}.audit_logs (
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
CREATE TABLE {{schema}}.audit_head ( -- the end of the chain in audit_logs; only the trigger may read and write it
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    seq      bigint NOT NULL DEFAULT 0,
    hash     varchar(64) -- hex; a bytea would need a TOAST table
);
INSERT INTO {{schema}}.audit_head (seq) VALUES (0);
CREATE TRIGGER audit_chain BEFORE INSERT ON {{schema}}.audit_logs FOR EACH ROW EXECUTE FUNCTION public.tenant_audit_chain();

-- part: constraints
ALTER TABLE {{schema}}.users ADD CONSTRAINT users_role_id_fkey FOREIGN KEY (role_id) REFERENCES {{schema}}.roles (id);
CREATE INDEX users_role_id ON {{schema}}.users (role_id);
ALTER TABLE {{schema}}.audit_logs ADD CONSTRAINT audit_logs_user_id_fkey FOREIGN KEY (user_id) REFERENCES {{schema}}.users (id);
CREATE INDEX audit_logs_user_id ON {{schema}}.audit_logs (user_id);
GRANT USAGE ON SCHEMA {{schema}} TO {{role}};
GRANT SELECT, INSERT, UPDATE, DELETE ON {{schema}}.roles, {{schema}}.users TO {{role}};
GRANT SELECT, INSERT ON {{schema}}.audit_logs TO {{role}};
