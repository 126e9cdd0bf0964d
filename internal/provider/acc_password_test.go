package provider_test

import (
	"archive/zip"
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
)

const (
	password = "correct horse battery staple"
	another  = "Tr0ub4dor&3 is another one"
)

// withPassword returns the documentation's example with another password version.
func withPassword(t *testing.T, version string) string {
	t.Helper()
	return strings.Replace(example(t, "resources/healthcare_tenant/password.tf"), "admin_password_wo_version = 1 ", "admin_password_wo_version = "+version+" ", 1)
}

// assertPassword fails the test unless the admin of the one live tenant has this
// password, "" for none, and the registry does not contain it. It returns the hash.
func (w *testEnv) assertPassword(password string) string {
	w.t.Helper()
	if stored := w.text(`SELECT coalesce(admin_password_hash, '') FROM tenants WHERE status = 'ACTIVE'`); stored != "" {
		w.t.Errorf("the registry keeps %q", stored)
	}
	hash := w.text(`SELECT coalesce(password_hash, '') FROM ` + w.text(`SELECT schema_name FROM tenants WHERE status = 'ACTIVE'`) + `.users`)
	if password == "" && hash != "" || password != "" && !postgrestest.Verifies(hash, password) {
		w.t.Errorf("the admin's password is another one: %q", hash)
	}
	return hash
}

// registryText returns every row of the registry, with the queue's, as text.
func (w *testEnv) registryText() string {
	w.t.Helper()
	names := strings.Fields(w.text(`SELECT string_agg(quote_ident(tablename), ' ') FROM pg_tables WHERE schemaname = 'public'`))
	var text strings.Builder
	for _, name := range names {
		text.WriteString(w.text(`SELECT coalesce(string_agg(t::text, E'\n'), '') FROM ` + name + ` t`))
	}
	return text.String()
}

// planContents returns the content of a saved plan.
func (w *testEnv) planContents(plan string) string {
	w.t.Helper()
	archive, err := zip.OpenReader(filepath.Join(w.dir, plan))
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = archive.Close() }()
	var contents bytes.Buffer
	for _, file := range archive.File {
		content, err := file.Open()
		if err != nil {
			w.t.Fatal(err)
		}
		_, err = io.Copy(&contents, content)
		_ = content.Close()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return contents.String()
}

func TestAccTenant_Password(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setup(t, m, withPassword(t, "1"))
		w.env["TF_VAR_admin_password"], w.env["TF_LOG"] = password, "TRACE"
		must := func(args ...string) string {
			t.Helper()
			r := w.run(append(args, "-no-color")...)
			if r.code != 0 {
				t.Fatalf("%v: %s", args, r.out)
			}
			return r.out
		}
		said := must("plan", "-out=first") + must("show", "-json", "first") + must("apply", "first")
		first := w.assertPassword(password)
		w.assertOneTenant()
		if text := w.mail.Messages()[0].Text; !strings.Contains(text, "#invitation=") || w.count(`SELECT count(*) FROM tenant_invitations`) != 1 {
			t.Errorf("no invitation: %s", text)
		}
		said += must("plan", "-detailed-exitcode")

		// A changed password with the same version is ignored.
		w.env["TF_VAR_admin_password"] = another
		said += must("plan", "-detailed-exitcode") + must("apply", "-auto-approve")
		if w.assertPassword(password) != first {
			t.Error("it was set again")
		}

		// Another version sets it, in place.
		w.write("main.tf", header+withPassword(t, "2"))
		said += must("plan", "-out=second") + must("show", "-json", "second")
		updated := w.text(`SELECT updated_at::text FROM tenants`)
		applied := must("apply", "second")
		said += applied
		result{out: applied}.wantText(t, "0 added, 1 changed, 0 destroyed")
		second := w.assertPassword(another)
		if n := w.count(`SELECT count(*) FROM tenant_invitations`); n != 0 || w.text(`SELECT updated_at::text FROM tenants`) == updated {
			t.Errorf("%d invitations", n)
		}
		said += must("plan", "-detailed-exitcode") + must("show", "-json")
		if !strings.Contains(said, "provisioning step SEND_WELCOME_EMAIL COMPLETED") || !strings.Contains(said, "[TRACE]") {
			t.Error("the log has no progress of the run")
		}

		w.env["TF_LOG"] = ""
		if s := w.state("healthcare_tenant.clinic"); s["admin_password_wo"] != nil || s["admin_password_wo_version"] != 2.0 {
			t.Errorf("state %v", s)
		}
		said += w.read("terraform.tfstate") + w.planContents("first") + w.planContents("second") + w.registryText() + w.serverLog.String()
		for what, secret := range map[string]string{"password": password, "other password": another, "hash": first, "other hash": second} {
			if strings.Contains(said, secret) || strings.Contains(said, strings.ReplaceAll(secret, "&", `\u0026`)) {
				t.Errorf("the %s is shown", what)
			}
		}
		if events := w.text(`SELECT string_agg(detail::text, ' ' ORDER BY seq) FROM audit_events WHERE action = 'tenant.update'`); events != `{"changed": {"adminPassword": "set"}}` {
			t.Errorf("audit log: %s", events)
		}

		// Without both, everything stays.
		w.write("main.tf", header+clinic)
		delete(w.env, "TF_VAR_admin_password")
		w.mustApply().wantText(t, "0 added, 1 changed, 0 destroyed")
		if w.assertPassword(another) != second {
			t.Error("it was set again")
		}
		w.assertNoChanges()
		if r := w.run("destroy", "-auto-approve", "-no-color"); r.code != 0 {
			t.Errorf("destroy: %s", r.out)
		}
	})
}

func TestAccTenant_PasswordOfRetriedTenant(t *testing.T) {
	t.Parallel()

	t.Run("AfterFailure", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, withPassword(t, "1"))
			w.env["TF_VAR_admin_password"], w.env["SOROBAN_MAX_FEE"] = password, "100"
			r := w.apply()
			r.wantText(t, "step DEPLOY_SOROBAN_CONTRACT failed", "The tenant is FAILED and in the state")
			if s := w.state("healthcare_tenant.clinic"); s["tainted"] != true || s["status"] != "FAILED" || s["admin_password_wo"] != nil || s["admin_password_wo_version"] != 1.0 {
				t.Errorf("state %v", s)
			}
			if !postgrestest.Verifies(w.text(`SELECT admin_password_hash FROM tenants`), password) {
				t.Error("the next attempt does not have it")
			}
			if strings.Contains(r.out+w.read("terraform.tfstate")+w.serverLog.String(), password) {
				t.Error("the password is shown")
			}
			delete(w.env, "SOROBAN_MAX_FEE")
			w.env["TF_VAR_admin_password"] = another
			w.mustApply()
			w.assertPassword(another)
			w.assertNoChanges()
		})
	})

	t.Run("UntaintedAfterFailure", func(t *testing.T) { // Then an update continues it.
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, withPassword(t, "1"))
			w.env["TF_VAR_admin_password"], w.env["SOROBAN_MAX_FEE"] = password, "100"
			w.apply().wantText(t, "step DEPLOY_SOROBAN_CONTRACT failed")
			w.run("untaint", "healthcare_tenant.clinic")
			w.write("main.tf", header+withPassword(t, "2"))
			w.env["TF_VAR_admin_password"] = another
			w.apply().wantText(t, "Could not retry tenant")
			if s := w.state("healthcare_tenant.clinic"); s["status"] != "FAILED" || s["admin_password_wo"] != nil {
				t.Errorf("state %v", s)
			}
			delete(w.env, "SOROBAN_MAX_FEE")
			w.mustApply().wantText(t, "0 added, 1 changed, 0 destroyed")
			w.assertPassword(another)
			w.assertNoChanges()
		})
	})

	t.Run("AfterInterrupt", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, withPassword(t, "1"))
			w.env["TF_VAR_admin_password"] = password
			w.net.Faults().HoldQueue(true)
			b := w.start("apply", "-auto-approve", "-no-color")
			w.waitWhileRunning(b, "the deployment", func() bool { return w.net.Faults().QueueSize() > 0 })
			if err := syscall.Kill(-b.Process.Pid, syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			w.waitWhileRunning(b, "the stop", func() bool { return strings.Contains(b.out.String(), "nterrupt") })
			w.net.Faults().HoldQueue(false)
			w.finish(b).wantText(t, "Provisioning was interrupted")
			if s := w.state("healthcare_tenant.clinic"); s["status"] != "PROVISIONING" || s["admin_password_wo"] != nil || s["admin_password_wo_version"] != 1.0 {
				t.Errorf("state %v", s)
			}
			w.waitFor("the lease to be released", func() bool { // A server releases it after its client has disconnected.
				return w.count(`SELECT count(*) FROM tenants WHERE run_expires_at IS NOT NULL`) == 0
			})
			w.env["TF_VAR_admin_password"] = another // Of the configuration that the tenant goes live with.
			w.mustApply().wantText(t, "0 added, 1 changed, 0 destroyed")
			w.assertPassword(another)
			w.assertOneTenant()
			w.assertNoChanges()
		})
	})

	t.Run("AfterKill", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct{ configuration, password string }{
			"WithAnother": {withPassword(t, "1"), another}, "WithNone": {clinic, ""},
		} {
			t.Run(name, func(t *testing.T) {
				inBothModes(t, func(t *testing.T, m mode) {
					w := setup(t, m, withPassword(t, "1"))
					w.env["TF_VAR_admin_password"] = password
					w.net.Faults().HoldQueue(true)
					b := w.start("apply", "-auto-approve", "-no-color")
					w.waitWhileRunning(b, "the deployment", func() bool { return w.net.Faults().QueueSize() > 0 })
					w.killProvider()
					w.finish(b)
					w.net.Faults().HoldQueue(false)
					w.write("main.tf", header+c.configuration)
					delete(w.env, "TF_VAR_admin_password")
					if c.password != "" {
						w.env["TF_VAR_admin_password"] = c.password
					}
					w.mustApply()
					w.assertPassword(c.password)
					w.assertOneTenant()
					w.assertNoChanges()
				})
			})
		}
	})
}

func TestAccTenant_PasswordAfterImport(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		managed := `provider "healthcare" { managed_by = "infrastructure/tenants" }` + "\n"
		w := setup(t, m, managed+withPassword(t, "7"))
		w.env["TF_VAR_admin_password"] = password
		w.mustApply()
		id, _ := w.state("healthcare_tenant.clinic")["id"].(string)
		w.run("state", "rm", "healthcare_tenant.clinic")
		if r := w.run("import", "-no-color", "healthcare_tenant.clinic", id); r.code != 0 {
			t.Fatalf("import: %s", r.out)
		}
		w.env["TF_VAR_admin_password"] = another
		w.mustApply().wantText(t, "0 added, 1 changed, 0 destroyed")
		w.assertPassword(another)
		w.assertNoChanges()

		// An adopted tenant gets the password of the configuration, too.
		w.run("state", "rm", "healthcare_tenant.clinic")
		w.env["TF_VAR_admin_password"] = password
		w.mustApply().wantText(t, "1 added, 0 changed, 0 destroyed")
		if w.state("healthcare_tenant.clinic")["id"] != id {
			t.Error("another tenant")
		}
		w.assertPassword(password)
		w.assertNoChanges()
	})
}

func TestAccTenant_PasswordRules(t *testing.T) {
	w := setup(t, databaseMode, "")
	for value, message := range map[string]string{
		`"eleven char"`:               "The admin_password_wo has 11 characters; at least 12 are needed.",
		`""`:                          "The admin_password_wo is empty; give 12 to 256 characters.",
		`join("", range(200))`:        "The admin_password_wo has 490 characters; at most 256 are possible.",
		`"correct horse\n"`:           "The admin_password_wo has a line break or another control character; remove it.",
		`"is ADA@st-marys.example !"`: "The admin_password_wo has the admin's e-mail address in it; choose one that is harder to guess.",
	} {
		// Through a local: the newest CLI prints the source line of a diagnostic.
		w.write("main.tf", header+"locals { secret = sensitive("+value+") }\n"+clinicWith("  admin_password_wo = local.secret\n  admin_password_wo_version = 1"))
		r := w.run("plan", "-no-color")
		r.wantText(t, "Invalid admin_password_wo", message)
		if r.code == 0 || strings.Contains(r.out, "correct horse") || strings.Contains(r.out, "is ADA") {
			t.Errorf("plan ended with %d: %s", r.code, r.out)
		}
	}
	for lines, message := range map[string]string{
		`admin_password_wo = "` + password + `"`:                       `Attribute "admin_password_wo_version" must be specified when "admin_password_wo" is specified`,
		`admin_password_wo_version = 1`:                                `Attribute "admin_password_wo" must be specified when "admin_password_wo_version" is specified`,
		"admin_password_wo = null\n  admin_password_wo_version = null": "",
	} {
		w.write("main.tf", header+clinicWith("  "+lines))
		if r := w.run("plan", "-no-color"); message != "" && r.code == 0 || message == "" && r.code != 0 {
			t.Errorf("%s: plan ended with %d: %s", lines, r.code, r.out)
		} else {
			r.wantText(t, message)
		}
	}

	// An unknown password is checked once it is known.
	later := func(value string) string {
		return header + "resource \"terraform_data\" \"secret\" { input = " + value + " }\n" +
			clinicWith("  admin_password_wo = terraform_data.secret.output\n  admin_password_wo_version = 1")
	}
	w.write("main.tf", later(`"short"`))
	if r := w.run("plan", "-no-color"); r.code != 0 {
		t.Errorf("plan: %s", r.out)
	}
	w.apply().wantText(t, "The admin_password_wo has 5 characters; at least 12 are needed.")
	if n := w.count(`SELECT count(*) FROM tenants`); n != 0 {
		t.Errorf("%d tenants", n)
	}
	w.write("main.tf", later(`"`+password+`"`))
	w.mustApply()
	w.assertPassword(password)
	w.assertNoChanges()
}
