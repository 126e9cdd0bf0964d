-- +goose Up
-- Medicines that were handed out. Rows are added and never changed: see privileges in
-- blueprint.yaml. A correction is another row, which names the one that was wrong.
CREATE TABLE dispensations (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id   bigint NOT NULL REFERENCES patients (id),
    dispensed_by uuid REFERENCES users (id),
    medicine     text NOT NULL,
    quantity     integer NOT NULL CHECK (quantity > 0),
    corrects     bigint REFERENCES dispensations (id),
    dispensed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dispensations_patient ON dispensations (patient_id, dispensed_at);
