INSERT INTO appointments (patient_id, begins_at, ends_at)
    SELECT id, now() + id * interval '1 hour', now() + id * interval '1 hour' + interval '20 minutes' FROM patients;
