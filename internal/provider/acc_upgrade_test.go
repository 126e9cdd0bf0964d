package provider_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provider"
)

const stateFiles = "testdata/states"

// TestAccTenant_UpgradesReleasedStates: this release reads the states that earlier
// releases wrote, with the same tenant and without changes.
func TestAccTenant_UpgradesReleasedStates(t *testing.T) {
	files, err := filepath.Glob(stateFiles + "/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			inBothModes(t, func(t *testing.T, m mode) {
				w := framework(t, m)
				configuration := clinicWith("  external_id = \"crm-1\"\n  metadata = { region = \"eu\" }")
				var now map[string]any
				w.test(
					applied(configuration),
					after(func() {
						now = w.stored()
						w.changeInstance(func(map[string]any) any {
							return json.RawMessage(os.Expand(string(text), func(name string) string { return fmt.Sprint(now[name]) }))
						})
					}, planned(configuration, plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionNoop))),
					planned(strings.Replace(configuration, "Lovelace", "Hopper", 1), wantChange("admin_last_name", "Lovelace", "Hopper")),
					between(func() {
						upgraded := w.stored()
						for _, field := range []string{"id", "schema_name", "database_role", "soroban_contract_id", "created_at", "metadata"} {
							if fmt.Sprint(upgraded[field]) != fmt.Sprint(now[field]) {
								t.Errorf("%s is %v, was %v", field, upgraded[field], now[field])
							}
						}
					}),
				)
			})
		})
	}
	t.Run("UnreadableState", func(t *testing.T) {
		w := framework(t, databaseMode)
		var instance map[string]any
		w.test(
			applied(clinic),
			between(func() {
				w.changeInstance(func(is map[string]any) any {
					instance = is
					return json.RawMessage(`{"schema_version": 0, "attributes": {"id": ["of", "another", "type"]}}`)
				})
			}),
			w.refused(clinic, "State cannot be read", "terraform state rm ADDRESS"),
			between(func() { w.changeInstance(func(map[string]any) any { return instance }) }),
		)
	})
}

// TestStateFiles_CoverEachVersion: each schema version has a state file.
func TestStateFiles_CoverEachVersion(t *testing.T) {
	changes, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, release := range regexp.MustCompile(`(?m)^## \[?v?(\d+\.\d+\.\d+)`).FindAllStringSubmatch(string(changes), -1) {
		if _, err := os.Stat(filepath.Join(stateFiles, release[1]+".json")); err != nil {
			t.Errorf("release %s: %v", release[1], err)
		}
	}
	files, err := filepath.Glob(stateFiles + "/*.json")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	var newest struct {
		Attributes map[string]any `json:"attributes"`
	}
	text, err := os.ReadFile(files[len(files)-1])
	if err == nil {
		err = json.Unmarshal(text, &newest)
	}
	if err != nil {
		t.Fatal(err)
	}
	server, err := providerserver.NewProtocol6WithError(provider.New("test", config.Environment)())()
	if err != nil {
		t.Fatal(err)
	}
	schema, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, a := range schema.ResourceSchemas["healthcare_tenant"].Block.Attributes {
		names = append(names, a.Name)
	}
	slices.Sort(names)
	if has := slices.Sorted(maps.Keys(newest.Attributes)); !slices.Equal(has, names) {
		missing := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(has, name) })
		surplus := slices.DeleteFunc(has, func(name string) bool { return slices.Contains(names, name) })
		t.Errorf("%s lacks %v and has %v too many: bring the file of the next release up to date, or add it", files[len(files)-1], missing, surplus)
	}
}
