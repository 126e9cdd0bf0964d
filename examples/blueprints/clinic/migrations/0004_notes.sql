-- +goose Up
-- Notes are seen by the physician who wrote them alone. The application names the user with
-- SET LOCAL clinic.user_id.
CREATE TABLE notes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id bigint NOT NULL REFERENCES patients (id),
    physician  uuid NOT NULL REFERENCES users (id),
    text       text NOT NULL
);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_notes ON notes USING (physician = nullif(current_setting('clinic.user_id', true), '')::uuid);
