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

-- In years, today.
-- +goose StatementBegin
CREATE FUNCTION age_of(patient bigint) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT extract(year FROM age(born))::integer FROM patients WHERE id = patient
$$;
-- +goose StatementEnd

-- Each clinic's own settings, from its variables.
CREATE TABLE settings (region text NOT NULL CHECK (region IN ('eu', 'us')));
INSERT INTO settings VALUES (current_setting('tenant.variables.region'));
