-- +goose Up
CREATE TABLE patients (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    born       date NOT NULL,
    email      text,
    created_by uuid REFERENCES users (id),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX patients_name ON patients (lower(name));

CREATE TABLE appointments (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id bigint NOT NULL REFERENCES patients (id),
    physician  uuid REFERENCES users (id),
    at         timestamptz NOT NULL,
    reason     text
);
CREATE INDEX appointments_at ON appointments (at);

-- Each clinic's own settings, from its variables.
CREATE TABLE settings (region text NOT NULL CHECK (region IN ('eu', 'us')));
INSERT INTO settings VALUES (current_setting('tenant.variables.region'));
