package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
)

// applicationEnv makes this test's binary act as an application that uses a login; a
// provisioner starts it.
const applicationEnv = "HEALTHCARE_ACC_LOGIN"

// runApplication writes what the login can read into a file, for the test.
func runApplication() int {
	err := func() error {
		var login struct{ Username, Password, Host, Port, Database, File string }
		if err := json.Unmarshal([]byte(os.Getenv(applicationEnv)), &login); err != nil {
			return err
		}
		u := url.URL{Scheme: "postgres", User: url.UserPassword(login.Username, login.Password), Host: net.JoinHostPort(login.Host, login.Port), Path: "/" + login.Database}
		ctx := context.Background()
		conn, err := pgx.Connect(ctx, u.String())
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close(ctx) }()
		var result string
		if err := conn.QueryRow(ctx, `SELECT current_schema() || ' ' || count(*) FROM users`).Scan(&result); err != nil {
			return err
		}
		if registrytest.Readable(ctx, conn) {
			return errors.New("the login reads the registry")
		}
		return os.WriteFile(login.File, []byte(result+" "+login.Password), 0o600)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func applicationConfig(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return `
ephemeral "healthcare_tenant_database_credentials" "app" {
  tenant_id = healthcare_tenant.clinic.id
  ttl       = "10m"
}
resource "terraform_data" "application" {
  triggers_replace = [RUN]
  provisioner "local-exec" {
    command = "` + self + `"
    environment = {
      ` + applicationEnv + ` = jsonencode({
        Username = ephemeral.healthcare_tenant_database_credentials.app.username
        Password = ephemeral.healthcare_tenant_database_credentials.app.password
        Host     = ephemeral.healthcare_tenant_database_credentials.app.host
        Port     = tostring(ephemeral.healthcare_tenant_database_credentials.app.port)
        Database = ephemeral.healthcare_tenant_database_credentials.app.database
        File     = "${path.module}/seen"
      })
    }
  }
}
`
}

// TestCLICredentials: an application uses the login during a run; afterwards the login is
// gone, and its password is in no file.
func TestCLICredentials(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setup(t, m, "")
		w.env["TF_LOG"], w.env["TF_LOG_PATH"] = "TRACE", filepath.Join(w.dir, "trace.log")
		configuration := header + clinic + applicationConfig(t)
		passwords := map[string]bool{}
		for _, run := range []string{"1", "2"} { // First with a tenant that does not exist at plan.
			w.write("main.tf", strings.Replace(configuration, "RUN", run, 1))
			if r := w.run("plan", "-no-color", "-out=plan"); r.code != 0 {
				t.Fatal(r.out)
			}
			w.mustApply("plan")
			output := strings.Fields(w.read("seen"))
			if len(output) != 3 || output[0] != w.state("healthcare_tenant.clinic")["schema_name"] || output[1] != "1" {
				t.Fatalf("the application saw %q", output[:min(len(output), 2)])
			}
			passwords[output[2]] = true
			if n := len(w.registry.Logins()) + w.count(`SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'healthcare_login_%' AND datname = current_database()`); n != 0 {
				t.Errorf("%d logins or sessions remain", n)
			}
			if err := os.Remove(filepath.Join(w.dir, "seen")); err != nil {
				t.Fatal(err)
			}
		}
		w.assertNoChanges()
		if len(passwords) != 2 {
			t.Error("the same password twice")
		}
		for password := range passwords {
			w.assertNotStored(password)
		}
		events := strings.Join(w.registry.Events(0), "\n")
		if !strings.Contains(events, "credential.open ") || !strings.Contains(events, "credential.close ") {
			t.Errorf("%s", events)
		}
	})
}

// assertNotStored searches for a secret in all files and output of a run.
func (w *testEnv) assertNotStored(secret string) {
	w.t.Helper()
	if strings.Contains(w.serverLog.String(), secret) {
		w.t.Error("the server's log shows a secret")
	}
	files := map[string]string{}
	w.collectFiles(files)
	for name, text := range files {
		if strings.Contains(text, secret) {
			w.t.Errorf("%s shows a secret", name)
		}
	}
	if r := w.run("show", "-json", "plan"); r.code != 0 || strings.Contains(r.out, secret) {
		w.t.Errorf("the plan shows a secret, or cannot be shown: exit code %d", r.code)
	}
}

// TestCLICredentials_ExpireAfterKill kills the provider while a login is open: the
// login expires, and the next run drops it.
func TestCLICredentials_ExpireAfterKill(t *testing.T) {
	// A killed CLI may not have stored its state; with managed_by the tenant is adopted.
	managed := `provider "healthcare" { managed_by = "ci" }` + clinic
	w := setup(t, databaseMode, managed+strings.Replace(applicationConfig(t), "RUN", "1", 1))
	w.write("main.tf", strings.Replace(w.read("main.tf"), `command = "`, `command = "sleep 60; `, 1))
	running := w.start("apply", "-auto-approve", "-no-color")
	w.waitWhileRunning(running, "a login is open", func() bool {
		return strings.Contains(running.out.String(), "Provisioning with 'local-exec'") && len(w.registry.Logins()) == 1
	})
	w.killProvider()
	_ = running.Process.Kill()
	w.finish(running)
	if n := len(w.registry.Logins()); n != 1 {
		t.Fatalf("%d logins", n)
	}
	login := w.registry.Logins()[0].Username
	w.registry.ExpireLogins(-time.Second)
	w.write("main.tf", header+managed+strings.Replace(applicationConfig(t), "RUN", "2", 1))
	w.mustApply()
	if n := w.count(`SELECT count(*) FROM pg_roles WHERE rolname = $1`, login); n != 0 {
		t.Error("the killed run's login still exists")
	}
}

// TestCLICredentials_Expiry opens, renews and closes a login like a CLI with a long
// run.
func TestCLICredentials_Expiry(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		const name = "healthcare_tenant_database_credentials"
		w := setup(t, m, clinic)
		w.mustApply()
		p := w.ephemeralServer(name)
		schema := p.schema
		opened, err := p.server.OpenEphemeralResource(t.Context(), &tfprotov6.OpenEphemeralResourceRequest{
			TypeName: name, Config: configOf(t, schema, "", map[string]any{"tenant_id": w.registry.Tenant().ID, "ttl": "2m"}),
		})
		if err != nil {
			t.Fatal(err)
		}
		p.assertNoErrors(opened.Diagnostics)
		if in := time.Until(opened.RenewAt); in < 30*time.Second || in > time.Minute {
			t.Errorf("it is to be renewed in %v", in)
		}
		result, err := opened.Result.Unmarshal(schema.ValueType())
		fields := map[string]tftypes.Value{}
		if err != nil || result.As(&fields) != nil || !result.IsFullyKnown() {
			t.Fatalf("%v, %v", result, err)
		}
		ends := func() time.Time { return w.registry.Logins()[0].ExpiresAt }
		before := ends()
		w.registry.ExpireLogins(time.Second)
		renewed, err := p.server.RenewEphemeralResource(t.Context(), &tfprotov6.RenewEphemeralResourceRequest{TypeName: name, Private: opened.Private})
		if err != nil {
			t.Fatal(err)
		}
		p.assertNoErrors(renewed.Diagnostics)
		if after := ends(); after.Before(before) || !renewed.RenewAt.After(time.Now().Add(30*time.Second)) {
			t.Errorf("it ends at %s, before at %s", after, before)
		}
		for range 2 {
			closed, err := p.server.CloseEphemeralResource(t.Context(), &tfprotov6.CloseEphemeralResourceRequest{TypeName: name, Private: renewed.Private})
			if err != nil {
				t.Fatal(err)
			}
			p.assertNoErrors(closed.Diagnostics)
		}
		if n := len(w.registry.Logins()); n != 0 {
			t.Errorf("%d logins", n)
		}
		late, err := p.server.RenewEphemeralResource(t.Context(), &tfprotov6.RenewEphemeralResourceRequest{TypeName: name, Private: renewed.Private})
		if err != nil || len(late.Diagnostics) != 1 || !strings.Contains(late.Diagnostics[0].Detail, "the login has expired; open another one") {
			t.Errorf("%+v, %v", late, err)
		}
	})
}
