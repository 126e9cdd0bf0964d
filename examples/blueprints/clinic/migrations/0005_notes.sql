-- +goose Up
-- A note is seen and changed by the physician who wrote it, and by no other user. The application
-- says in each transaction who works: SET LOCAL clinic.user_id = '...'. Without that, no note is seen.
CREATE TABLE notes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id bigint NOT NULL REFERENCES patients (id),
    physician  uuid NOT NULL REFERENCES users (id),
    text       text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX notes_patient ON notes (patient_id, written_at);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_notes ON notes USING (physician = nullif(current_setting('clinic.user_id', true), '')::uuid);
