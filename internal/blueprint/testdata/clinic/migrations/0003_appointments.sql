-- +goose Up
-- +blueprint allow: scans, locks
CREATE TABLE appointments (patient_id uuid NOT NULL REFERENCES patients (id), at timestamptz NOT NULL);
ALTER TABLE patients ADD CONSTRAINT patients_name_check CHECK (name <> '');
