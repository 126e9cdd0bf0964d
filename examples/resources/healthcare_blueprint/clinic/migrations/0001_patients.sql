-- +goose Up
CREATE TABLE patients (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL
);
CREATE TABLE dispensations (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id bigint NOT NULL REFERENCES patients (id),
    drug       text NOT NULL
);
CREATE TABLE settings (region text NOT NULL);
INSERT INTO settings (region) VALUES (current_setting('tenant.variables.region'));
