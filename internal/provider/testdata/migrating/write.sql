-- What the old service does first for each tenant.
INSERT INTO tenants (name, "schemaName", "adminEmail", "adminFirstName", "adminLastName") VALUES ('Old', 'old_1', 'a@old.example', 'A', 'B');
