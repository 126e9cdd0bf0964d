package provisioning_test

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/healthcare-platform/terraform-provider-healthcare"

// TestImports holds the direction of the arrows: inward, to this package.
func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	inner := func(path string) string { return strings.TrimPrefix(path, module+"/internal/") }
	adapters := map[string]bool{"postgres": true, "soroban": true, "mail": true, "apiclient": true}
	development := map[string]bool{module + "/cmd/devstack": true, module + "/cmd/demo": true, module + "/cmd/bench": true}
	seen := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg := inner(fields[0])
		for _, imported := range fields[1:] {
			target := inner(imported)
			switch {
			case pkg == "provisioning":
				seen++
				if strings.Contains(imported, ".") && imported != "github.com/google/uuid" && imported != "golang.org/x/text/unicode/norm" {
					t.Errorf("the heart imports %s", imported)
				}
			case adapters[pkg]:
				own := strings.HasPrefix(target, pkg+"/")
				if strings.HasPrefix(imported, module) && target != "provisioning" && target != "config" && target != "access" && !own {
					t.Errorf("%s imports %s", pkg, target)
				}
			}
			if strings.HasPrefix(target, "devstack") && !strings.HasPrefix(pkg, "devstack") && !development[pkg] {
				t.Errorf("%s imports %s, which is for development alone", pkg, target)
			}
		}
	}
	if seen == 0 {
		t.Error("the package itself was not listed")
	}
}
