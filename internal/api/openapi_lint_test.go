package api_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestOpenAPI_Linters: redocly and spectral find nothing in the document.
func TestOpenAPI_Linters(t *testing.T) {
	t.Parallel()
	modules := testenv.NodeModules(t, os.DirFS("testdata/lint"), false)
	text, err := api.OpenAPI("test")
	if err != nil {
		t.Fatal(err)
	}
	document := filepath.Join(t.TempDir(), "openapi.json")
	if err := os.WriteFile(document, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for program, args := range map[string][]string{
		"redocly":  {"lint", "--config", "testdata/lint/redocly.yaml", "--max-problems", "1000", document},
		"spectral": {"lint", "--ruleset", "testdata/lint/spectral.yaml", "--fail-severity", "hint", document},
	} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(modules, ".bin", program), args...)
		cmd.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true", "NO_COLOR=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", program, err, out)
		}
	}
}
