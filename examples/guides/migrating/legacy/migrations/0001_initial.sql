-- The tables that the old service made in each tenant's schema.
-- +goose Up
CREATE TABLE roles (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name        varchar(255) NOT NULL UNIQUE,
    description text,
    created_at  timestamp DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE users (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email         varchar(255) NOT NULL UNIQUE,
    password_hash varchar(255) NOT NULL,
    first_name    varchar(255),
    last_name     varchar(255),
    is_active     boolean DEFAULT true,
    role_id       uuid REFERENCES roles (id),
    created_at    timestamp DEFAULT CURRENT_TIMESTAMP,
    updated_at    timestamp DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE audit_logs (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id     uuid REFERENCES users (id),
    action      varchar(255),
    entity_type varchar(255),
    entity_id   varchar(255),
    changes     jsonb,
    created_at  timestamp DEFAULT CURRENT_TIMESTAMP
);
