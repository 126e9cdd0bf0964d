-- +goose Up
CREATE TABLE appointments (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id bigint NOT NULL REFERENCES patients (id),
    physician  uuid REFERENCES users (id),
    begins_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    reason     text,
    CHECK (ends_at > begins_at)
);
CREATE INDEX appointments_begins_at ON appointments (begins_at);
CREATE INDEX appointments_patient ON appointments (patient_id);

CREATE VIEW next_appointments AS
    SELECT a.id, a.begins_at, a.ends_at, p.name AS patient
      FROM appointments a JOIN patients p ON p.id = a.patient_id
     WHERE a.begins_at > now();
