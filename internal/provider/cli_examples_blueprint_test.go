package provider_test

import (
	"maps"
	"testing"
)

func runBlueprint(t *testing.T, w *testEnv) {
	w.publishClinic()
	w.copyExample("resources/healthcare_tenant/blueprint.tf", "blueprint.tf")
	w.mustApply().wantText(t, "1 added")
	w.assertOneTenant()
	if got := w.registry.Tenant(); got.Blueprint != "clinic" || !maps.Equal(got.Variables, map[string]string{"region": "eu"}) {
		t.Errorf("%+v", got)
	}
	w.assertNoChanges()
	w.destroyAll()
}
