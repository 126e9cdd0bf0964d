-- What the replaced service leaves in its database, as TypeORM makes it.
CREATE EXTENSION "uuid-ossp";
CREATE TYPE tenants_status_enum AS ENUM ('PENDING', 'PROVISIONING', 'ACTIVE', 'FAILED', 'ARCHIVED');
CREATE TABLE tenants (
	id uuid PRIMARY KEY DEFAULT uuid_generate_v4(), name varchar(255) NOT NULL UNIQUE, "schemaName" varchar(255) NOT NULL UNIQUE,
	status tenants_status_enum NOT NULL DEFAULT 'PENDING', "adminEmail" varchar(255) NOT NULL,
	"adminFirstName" varchar(255) NOT NULL, "adminLastName" varchar(255) NOT NULL,
	"sorobanContractId" varchar(255), "provisioningError" varchar(500),
	"createdAt" timestamp NOT NULL DEFAULT now(), "updatedAt" timestamp NOT NULL DEFAULT now(), "archivedAt" timestamp);
CREATE TABLE provisioning_logs (
	id uuid PRIMARY KEY DEFAULT uuid_generate_v4(), "tenantId" uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
	step text NOT NULL, status text NOT NULL, "createdAt" timestamp NOT NULL DEFAULT now());
INSERT INTO tenants (id, name, "schemaName", status, "adminEmail", "adminFirstName", "adminLastName", "sorobanContractId") VALUES
	('550e8400-e29b-41d4-a716-446655440101', 'Acme Hospital', 'acme_hospital_1708599000001', 'ACTIVE', 'ada@acme.example', 'Ada', 'Lovelace', 'contract_550e8400_1708599000001'),
	('550e8400-e29b-41d4-a716-446655440102', 'Bay "West" Clinic', 'bay_west_clinic_1708599000002', 'ACTIVE', 'bea@bay.example', 'Bea', 'Arthur', 'CA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJUWDA'),
	('550e8400-e29b-41d4-a716-446655440103', 'City Practice', 'city_practice_1708599000003', 'ACTIVE', 'cy@city.example', 'Cy', 'Young', 'contract_550e8401_1708599000003'),
	('550e8400-e29b-41d4-a716-446655440104', 'Delta Care', 'delta_care_1708599000004', 'ARCHIVED', 'di@delta.example', 'Di', 'Ross', 'contract_550e8402_1708599000004'),
	('550e8400-e29b-41d4-a716-446655440105', 'Elm House', 'elm_house_1708599000005', 'PROVISIONING', 'eli@elm.example', 'Eli', 'Elm', NULL);
INSERT INTO provisioning_logs ("tenantId", step, status) SELECT id, 'CREATE_SCHEMA', 'COMPLETED' FROM tenants;
CREATE SCHEMA elm_house_1708599000005;
CREATE TABLE elm_house_1708599000005.roles (id uuid PRIMARY KEY);
