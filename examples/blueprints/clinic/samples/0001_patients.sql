-- Rows for the trial of later migrations. They are in no tenant.
INSERT INTO patients (name, born) SELECT 'Patient ' || i, date '1950-01-01' + i * 100 FROM generate_series(1, 200) i;
