-- +goose Up
-- Measurements come in large numbers, so each year has a partition. A migration adds the next
-- year's before that year begins.
CREATE TABLE measurements (
    patient_id bigint NOT NULL REFERENCES patients (id),
    taken_at   timestamptz NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('blood pressure', 'pulse', 'temperature', 'weight', 'glucose')),
    value      numeric NOT NULL,
    PRIMARY KEY (patient_id, kind, taken_at)
) PARTITION BY RANGE (taken_at);
CREATE TABLE measurements_before_2026 PARTITION OF measurements FOR VALUES FROM (MINVALUE) TO ('2026-01-01 00:00+00');
CREATE TABLE measurements_2026 PARTITION OF measurements FOR VALUES FROM ('2026-01-01 00:00+00') TO ('2027-01-01 00:00+00');
CREATE TABLE measurements_2027 PARTITION OF measurements FOR VALUES FROM ('2027-01-01 00:00+00') TO ('2028-01-01 00:00+00');
