-- +goose Up
-- Medicines that were handed out. Rows are added and never changed: see privileges in blueprint.yaml.
CREATE TABLE dispensations (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id bigint NOT NULL REFERENCES patients (id),
    medicine   text NOT NULL,
    quantity   integer NOT NULL CHECK (quantity > 0),
    given_at   timestamptz NOT NULL DEFAULT now()
);

-- Measurements come in large numbers, so they are in partitions by year.
CREATE TABLE measurements (
    patient_id bigint NOT NULL REFERENCES patients (id),
    taken_at   timestamptz NOT NULL,
    kind       text NOT NULL,
    value      numeric NOT NULL
) PARTITION BY RANGE (taken_at);
CREATE TABLE measurements_2026 PARTITION OF measurements FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE measurements_2027 PARTITION OF measurements FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');

CREATE VIEW next_appointments AS
    SELECT a.id, a.at, p.name AS patient FROM appointments a JOIN patients p ON p.id = a.patient_id WHERE a.at > now();

-- +goose StatementBegin
CREATE FUNCTION age_of(p_patient bigint) RETURNS interval LANGUAGE sql STABLE AS $$
    SELECT age(born) FROM patients WHERE id = p_patient
$$;
-- +goose StatementEnd
