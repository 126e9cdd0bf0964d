package architecture_test

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/healthcare-platform/terraform-provider-healthcare"

// domain are the packages without SQL, HTTP, XDR and Terraform, and what each of them
// may import of this module.
var domain = map[string][]string{
	"errs":        {},
	"confusables": {},
	"clock":       {},
	"processid":   {},
	"batch":       {},
	"invitation":  {},
	"txlog":       {},
	"tenant":      {"confusables", "errs", "invitation"},
	"retry":       {"errs", "clock"},
	"breaker":     {"clock"},
	"audit":       {"errs", "processid"},
	"events":      {"tenant"},
	"monitoring":  {"tenant"},
	"tracing":     {"errs"},

	"blueprint":         {"blueprint/pglexer", "errs", "tenant"},
	"blueprint/pglexer": {},

	"contracts":    {"clock", "errs", "retry", "tenant", "txlog"},
	"credentials":  {"audit", "clock", "errs", "retry", "tenant"},
	"inspection":   {"breaker", "clock", "contracts", "errs", "tenant"},
	"verification": {"breaker", "clock", "contracts", "errs", "tenant"},
	"provisioning": {"audit", "blueprint", "clock", "contracts", "credentials", "errs", "events", "invitation", "processid", "retry", "tenant", "tracing", "txlog"},
}

// apiParts are the packages below the handlers of the API, and which of each other they
// may import. None of them imports package api.
var apiParts = map[string][]string{
	"api/dto":        {},
	"api/page":       {},
	"api/onboarding": {"api/page"},
	"api/problem":    {},
	"api/proxies":    {},
	"api/rejections": {},
	"api/openapi":    {"api/page", "api/problem", "api/validate"},
	"api/validate":   {"api/problem"},
	"api/limits":     {"api/problem"},
	"api/auth":       {"api/limits", "api/problem"},
	"api/stream":     {"api/dto", "api/limits", "api/problem"},
}

// libraries are all that the domain imports of others, beside the standard library.
var libraries = []string{
	"github.com/google/uuid", "golang.org/x/text/cases", "golang.org/x/text/language", "golang.org/x/text/unicode/norm",
	"golang.org/x/sync/errgroup", "golang.org/x/sync/semaphore", "github.com/cenkalti/backoff/v5", "github.com/sony/gobreaker/v2",
}

// ownLibraries are what single packages of the domain import beside them.
var ownLibraries = map[string][]string{
	// The API of traces is made for libraries: without a program that exports them it does nothing.
	"tracing": {"go.opentelemetry.io/otel", "go.opentelemetry.io/otel/attribute", "go.opentelemetry.io/otel/codes", "go.opentelemetry.io/otel/propagation", "go.opentelemetry.io/otel/trace"},
	// A blueprint is a YAML file of people: its problems need lines.
	"blueprint": {"github.com/goccy/go-yaml/ast", "github.com/goccy/go-yaml/lexer", "github.com/goccy/go-yaml/parser", "github.com/goccy/go-yaml/token"},
}

// adapters connect the domain with the outside. They import the domain, config and
// access, and not each other.
var adapters = []string{"postgres", "soroban", "mail", "webhook", "apiclient"}

// layers are the packages inside an adapter, the lowest first: each may import those
// before it, and none imports the package that holds them together.
var layers = map[string][]string{
	"postgres": {
		"pgdb", "dbroles", "blueprintsql", "notify", "passwordhash", "auditlog", "apikeys", "sessions", "tenantrow", "orphans", "waiting", "welcome", "stats", "logins",
		"runs", "fingerprint", "blueprintstore", "ownsteps", "tenantschema", "publish", "registry", "adopt", "backup", "lifecycle", "stellarstore", "platform", "checks",
	},
	"soroban": {"contract", "rpc", "ledger", "txsubmit"},
}

// inner are packages that only the adapter around them imports.
var inner = []string{"soroban/rpc", "soroban/ledger", "soroban/txsubmit"}

// development are the programs that may use the development stack.
var development = []string{"cmd/devstack", "cmd/demo", "cmd/bench"}

func TestImports(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for pkg, imports := range packages(t) {
		name := strings.TrimPrefix(pkg, "internal/")
		top, _, _ := strings.Cut(name, "/")
		allowed, isDomain := domain[name]
		allowedParts, isAPIPart := apiParts[name]
		seen[name] = true
		for _, imported := range imports {
			own, ours := strings.CutPrefix(imported, module+"/")
			target := strings.TrimPrefix(own, "internal/")
			targetTop, _, _ := strings.Cut(target, "/")
			_, targetIsDomain := domain[target]
			switch {
			case isDomain && ours && !slices.Contains(allowed, target):
				t.Errorf("%s imports %s", name, target)
			case isAPIPart && targetTop == "api" && !slices.Contains(allowedParts, target):
				t.Errorf("%s imports %s", name, target)
			case isDomain && !ours && strings.Contains(imported, ".") && !slices.Contains(libraries, imported) && !slices.Contains(ownLibraries[name], imported):
				t.Errorf("%s imports %s, which is no library of the domain", name, imported)
			case slices.Contains(adapters, top) && !strings.HasSuffix(name, "test") && ours && targetTop != top && !targetIsDomain && !slices.Contains([]string{"config", "access", "api/dto", "api/problem"}, target):
				t.Errorf("adapter %s imports %s", name, target)
			}
			if slices.Contains(inner, target) && targetTop != top {
				t.Errorf("%s imports %s, which only %s may", name, target, targetTop)
			}
			if ours && (targetTop == "devstack" || target == "testenv") && top != "devstack" && name != "testenv" && !strings.HasSuffix(name, "test") && !slices.Contains(development, pkg) {
				t.Errorf("%s imports %s, which is for development alone", name, target)
			}
		}
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(domain)), slices.Collect(maps.Keys(apiParts))) {
		if !seen[name] {
			t.Errorf("there is no package %s", name)
		}
	}
}

func TestLayers(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for pkg, imports := range packages(t) {
		adapter, layer, _ := strings.Cut(strings.TrimPrefix(pkg, "internal/"), "/")
		order, ok := layers[adapter]
		if !ok || layer == "" || strings.HasSuffix(layer, "test") {
			continue
		}
		seen[adapter+"/"+layer] = true
		place := slices.Index(order, layer)
		if place < 0 {
			t.Errorf("%s/%s has no place in layers", adapter, layer)
		}
		for _, imported := range imports {
			target, ours := strings.CutPrefix(imported, module+"/internal/"+adapter)
			below := slices.Index(order, strings.TrimPrefix(target, "/"))
			if ours && (below < 0 || below > place) {
				t.Errorf("%s/%s imports %s, which is not below it", adapter, layer, strings.TrimPrefix(imported, module+"/"))
			}
		}
	}
	for adapter, order := range layers {
		for _, layer := range order {
			if !seen[adapter+"/"+layer] {
				t.Errorf("there is no package %s/%s", adapter, layer)
			}
		}
	}
}

// packages lists the imports of every package of the module, by its path inside it.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		all[strings.TrimPrefix(fields[0], module+"/")] = fields[1:]
	}
	return all
}
