-- Version 1 of the tenant schema.
--
-- Every version has a file here, numbered without gaps. {{schema}} and {{role}}
-- stand for quoted identifiers; everything runs in one transaction per tenant,
-- together with the row of the ledger public.tenant_migrations. A file never
-- changes once it has been applied somewhere (comments may): the ledger keeps the
-- checksum of its statements. A new tenant gets baseline.sql in one go instead,
-- which has to be brought to the same version; a test replays the files and
-- compares. The lines below are the baseline's checksums while this version was
-- the newest, because the ledger of a tenant that began with it has that one.
--
-- baseline: 7ac462c28ac12603373efd1bd17eca0b731d8e80f0d2af94e0a4214806d7f66e

CREATE ROLE {{role}} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
CREATE SCHEMA {{schema}};

CREATE TABLE {{schema}}.roles (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name        varchar(255) NOT NULL UNIQUE,
    description text,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE {{schema}}.users (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email         varchar(255) NOT NULL UNIQUE,
    password_hash varchar(255),
    first_name    varchar(255) NOT NULL,
    last_name     varchar(255) NOT NULL,
    is_active     boolean NOT NULL DEFAULT true,
    role_id       uuid NOT NULL REFERENCES {{schema}}.roles (id),
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX users_role_id ON {{schema}}.users (role_id);

CREATE TABLE {{schema}}.audit_logs (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id     uuid REFERENCES {{schema}}.users (id),
    action      varchar(255) NOT NULL,
    entity_type varchar(255) NOT NULL,
    entity_id   varchar(255),
    changes     jsonb,
    created_at  timestamptz NOT NULL DEFAULT now(),
    seq         bigint NOT NULL UNIQUE,
    prev_hash   bytea,
    hash        bytea NOT NULL
);
CREATE INDEX audit_logs_user_id ON {{schema}}.audit_logs (user_id);
CREATE TABLE {{schema}}.audit_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    seq      bigint NOT NULL DEFAULT 0,
    hash     varchar(64)
);
INSERT INTO {{schema}}.audit_head DEFAULT VALUES;
CREATE TRIGGER audit_chain BEFORE INSERT ON {{schema}}.audit_logs FOR EACH ROW EXECUTE FUNCTION public.tenant_audit_chain();

GRANT USAGE ON SCHEMA {{schema}} TO {{role}};
GRANT SELECT, INSERT, UPDATE, DELETE ON {{schema}}.roles, {{schema}}.users TO {{role}};
GRANT SELECT, INSERT ON {{schema}}.audit_logs TO {{role}};
