//go:build unix

package postgrestest

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
)

// ClinicBlueprint are the files of the blueprint clinic: a table of a tenant's own settings, which
// it has from its variables region, without a default, and plan, whose default is basic.
func ClinicBlueprint() fstest.MapFS {
	return fstest.MapFS{
		"blueprint.yaml": {Data: []byte(`apiVersion: healthcare-platform/v1
kind: Blueprint
name: clinic
variables:
  region: {pattern: "eu|us", description: Where records may lie}
  plan: {default: basic}
`)},
		"migrations/0001_settings.sql": {Data: []byte(`-- +goose Up
CREATE TABLE settings (region text NOT NULL, plan text NOT NULL);
INSERT INTO settings VALUES (current_setting('tenant.variables.region'), current_setting('tenant.variables.plan'));
`)},
	}
}

// PublishBlueprint publishes and activates a blueprint.
func PublishBlueprint(t *testing.T, db *postgres.DB, files fs.FS) blueprint.Revision {
	t.Helper()
	r, err := db.Blueprints.Publish(t.Context(), files, true)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
