package provider_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// runAPI runs the guide's commands, and its programs in three languages: each creates a tenant,
// follows it, reads an error, and archives the tenant. The one in TypeScript runs in
// TestGeneratedClients_Guide.
func runAPI(t *testing.T, w *testEnv) {
	const guide = "guides/api/"
	w.environment() // The server runs.
	for _, file := range []string{"tenant.sh", "tenant.py", "tenant.go", "keys.sh", "functions.sh", "change.sh", "list.sh", "feed.sh", "stream.sh", "limits.sh"} {
		w.copyExample(guide+file, file)
	}
	w.copyExample(guide+"environment.sh", "environment.sh", "https://tenants.platform.example", w.server.url)
	w.mustShell("-euc", "DATABASE_URL="+w.env["DATABASE_URL"]+" . ./keys.sh").wantText(t, `API key "crm"`)
	run := func(script string) result {
		t.Helper()
		return w.mustShell("-euc", ". ./environment.sh; "+script)
	}

	programs := []string{"sh tenant.sh", "go run tenant.go"}
	if exec.CommandContext(t.Context(), "python3", "--version").Run() == nil {
		programs = append(programs, "python3 tenant.py")
	} else {
		testenv.SkipUnlessCI(t, "Python is not installed: apt-get install python3")
	}
	goEnvironment, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE", "GOPATH").Output()
	if err != nil {
		t.Fatal(err)
	}
	paths := strings.Fields(string(goEnvironment))
	w.env["GOCACHE"], w.env["GOPATH"], w.env["GOFLAGS"] = paths[0], paths[1], "-mod=mod"
	for i, program := range programs {
		run(program).wantText(t, "queued ", "CREATE_SCHEMA COMPLETED", "SEND_WELCOME_EMAIL COMPLETED", "COMPLETED ACTIVE", "400 adminEmail: needs exactly one @", "@clinic.example archived")
		if n := w.registry.Count(tenant.StatusArchived); n != i+1 || w.registry.Count() != n {
			t.Errorf("%s: %d archived tenants of %d", program, n, w.registry.Count())
		}
	}

	w.write("main.tf", header+clinic)
	w.mustApply()
	w.env["ID"] = fmt.Sprint(w.state(clinicAddress)["id"])
	run(". ./change.sh").wantText(t, "304 Not Modified", "200 OK", `"metadata":{"region":"eu"}`, "412 Precondition Failed", "read it again")
	run(". ./list.sh").wantText(t, `{"total":1,"tenants":[{"id":"`+w.env["ID"], `{"total":0,"tenants":[]}`, fmt.Sprintf(`{"total":%d,`, len(programs)+1))
	w.write("cursor", "")
	w.waitFor("the position of the change", func() bool { // A worker numbers it within seconds.
		w.remove("cursor")
		return strings.Contains(run(". ./feed.sh").out, `"type":"request.update-tenant"`)
	})
	run(". ./feed.sh").wantText(t, `{"events":[],"nextCursor":"`)
	run(". ./stream.sh").wantText(t, "event: event", `"type":"tenant.archive"`)

	small := w.apiCommand(w.server.settings, "apikey", "create", "--name", "small", "--scope", "tenants:read", "--rate-limit", "2")
	key, err := small.Output()
	if err != nil {
		t.Fatalf("create a key: %v: %s", err, stderr(err))
	}
	run("TENANT_API_TOKEN="+strings.TrimSpace(string(key))+"; . ./limits.sh").wantText(t, "Ratelimit-Remaining: 1", "Ratelimit-Remaining: 0", "429 Too Many Requests", "Retry-After: ")
}
