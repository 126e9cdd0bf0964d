-- +goose Up
ALTER TABLE patients ADD COLUMN changed_at timestamptz;
-- +goose StatementBegin
DO $do$
DECLARE
    name text := 'patient_changed_' || left(encode(sha256(convert_to(current_schema(), 'UTF8')), 'hex'), 8);
BEGIN
    EXECUTE 'CREATE FUNCTION ' || name || $function$() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_at := now();
    RETURN NEW;
END $$
$function$;
    EXECUTE 'CREATE TRIGGER patient_changed BEFORE UPDATE ON patients FOR EACH ROW EXECUTE FUNCTION ' || name || '()';
END $do$;
-- +goose StatementEnd
