INSERT INTO patients (name) VALUES ('Ada'), ('Grace');
