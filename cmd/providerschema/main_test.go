package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/demo"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provider"
)

// TestReadSchemas_MatchesCLIs compares the program with real CLIs: each schema in their
// output is the same here. Only the newest CLI has all of them.
func TestReadSchemas_MatchesCLIs(t *testing.T) {
	ours := toMap(t, mustReadSchemas(t))
	for _, kind := range []string{"provider", "resource_schemas", "data_source_schemas", "functions", "resource_identity_schemas", "action_schemas", "list_resource_schemas"} {
		if s, ok := ours[kind].(map[string]any); !ok || len(s) == 0 {
			t.Errorf("nothing is said of %s", kind)
		}
	}
	cli, err := demo.FindCLI()
	if err != nil {
		t.Fatal(err)
	}
	clis := map[string]string{"CLI": cli}
	if newest := os.Getenv("HEALTHCARE_CLI_NEWEST"); newest != "" && newest != "none" {
		clis["NewestCLI"] = newest
	}
	for name, path := range clis {
		t.Run(name, func(t *testing.T) {
			theirs := schemaFromCLI(t, path)
			for kind, value := range theirs {
				if !reflect.DeepEqual(ours[kind], value) {
					t.Errorf("%s differ:\nours   %s\ntheirs %s", kind, marshalText(t, ours[kind]), marshalText(t, value))
				}
			}
			if name == "NewestCLI" && len(theirs) != len(ours) {
				t.Errorf("the newest CLI says %d things of the provider, we say %d", len(theirs), len(ours))
			}
		})
	}
}

func mustReadSchemas(t *testing.T) *schemas {
	t.Helper()
	all, err := readSchemas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// schemaFromCLI returns a CLI's schema of the provider, by kind.
func schemaFromCLI(t *testing.T, cli string) map[string]any {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "terraform-provider-healthcare"), "../..").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, text := range map[string]string{
		"cli.tfrc": fmt.Sprintf("provider_installation {\n  dev_overrides {\n    %q = %q\n  }\n  direct {}\n}\n", provider.Address, dir),
		"main.tf":  fmt.Sprintf("terraform {\n  required_providers {\n    healthcare = { source = %q }\n  }\n}\n", provider.Address),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(cli, "-chdir="+dir, "providers", "schema", "-json")
	cmd.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+filepath.Join(dir, "cli.tfrc"), "CHECKPOINT_DISABLE=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", cli, err, out)
	}
	var output struct {
		Schemas map[string]map[string]any `json:"provider_schemas"`
	}
	if err := json.Unmarshal(out, &output); err != nil {
		t.Fatal(err)
	}
	theirs := output.Schemas[provider.Address]
	if len(theirs) == 0 {
		t.Fatalf("%s says nothing of the provider: %s", cli, out)
	}
	return theirs
}

func toMap(t *testing.T, v any) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(marshalText(t, v)), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func marshalText(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
