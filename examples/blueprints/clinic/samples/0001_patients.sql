INSERT INTO patients (name, born) SELECT 'Patient ' || i, date '1950-01-01' + i * 100 FROM generate_series(1, 200) i;
INSERT INTO appointments (patient_id, at) SELECT id, now() + id * interval '1 hour' FROM patients;
