-- The old service makes a tenant, and finishes one that the new service made; the platform writes.
INSERT INTO tenants (name, "schemaName", status, "adminEmail", "adminFirstName", "adminLastName", "sorobanContractId")
VALUES ('Fern Ward', 'fern_ward_1708599000006', 'ACTIVE', 'fay@fern.example', 'Fay', 'Fern', 'contract_of_fern');
INSERT INTO provisioning_logs ("tenantId", step, status) SELECT id, 'SEND_WELCOME_EMAIL', 'COMPLETED' FROM tenants WHERE name = 'Elm House' AND status = 'ACTIVE';
CREATE TABLE acme_hospital_1708599000001.probe ();
DROP TABLE acme_hospital_1708599000001.probe;
INSERT INTO acme_hospital_1708599000001.users (email, password_hash) VALUES ('in the meantime', 'x');
CREATE SCHEMA fern_ward_1708599000006;
