-- Patients, and what was dispensed to them.
-- +goose Up
CREATE TABLE patients (
    id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name   text NOT NULL, -- as it is written; "O'Brien; MD" as well
    region text NOT NULL DEFAULT current_setting('tenant.variables.region')
);
CREATE TABLE dispensations (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    patient_id uuid NOT NULL REFERENCES patients (id),
    drug       text NOT NULL
);
CREATE TABLE icd10 (code text PRIMARY KEY, title text NOT NULL);
INSERT INTO icd10 VALUES ('A00', 'Cholera; due to Vibrio'), ('A01', 'Typhoid fever');
-- +blueprint seed
CREATE FUNCTION patient_count() RETURNS bigint LANGUAGE plpgsql STABLE AS $body$
BEGIN
    RETURN (SELECT count(*) FROM patients);
END;
$body$;

-- +goose Down
DROP TABLE icd10, dispensations, patients; -- 'not parsed
