package provider_test

import (
	"archive/zip"
	"bytes"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

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

// TestCLITenant_PasswordIsNotShown: neither a password nor its hash is printed, logged,
// in a saved plan, in the state or in the registry.
func TestCLITenant_PasswordIsNotShown(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setup(t, m, "")
		w.env["TF_LOG"] = "TRACE"
		var said strings.Builder
		must := func(args ...string) {
			t.Helper()
			r := w.run(append(args, "-no-color")...)
			if said.WriteString(r.out); r.code != 0 {
				t.Fatalf("%v: %s", args, r.out)
			}
		}
		secrets := map[string]string{"password": password, "other password": another}
		for i, secret := range []string{password, another} {
			version := strconv.Itoa(i + 1)
			w.write("main.tf", header+withPassword(t, version))
			w.env["TF_VAR_admin_password"] = secret
			must("plan", "-out=plan"+version)
			must("show", "-json", "plan"+version)
			must("apply", "plan"+version)
			secrets["hash "+version] = w.assertPassword(secret)
		}
		must("show", "-json")
		said.WriteString(w.read("terraform.tfstate") + w.planContents("plan1") + w.planContents("plan2") + w.registry.Text() + w.serverLog.String())
		if log := said.String(); !strings.Contains(log, "provisioning step SEND_WELCOME_EMAIL COMPLETED") || !strings.Contains(log, "[TRACE]") {
			t.Error("the log has no progress of the run")
		}
		for what, secret := range secrets {
			if strings.Contains(said.String(), secret) || strings.Contains(said.String(), strings.ReplaceAll(secret, "&", `\u0026`)) {
				t.Errorf("the %s is shown", what)
			}
		}
		w.env["TF_LOG"] = ""
		w.assertOneTenant()
	})
}

// TestCLITenant_PasswordAfterInterrupt: the next apply continues the tenant, with the
// password of its configuration.
func TestCLITenant_PasswordAfterInterrupt(t *testing.T) {
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
			return w.registry.Runs() == 0
		})
		w.env["TF_VAR_admin_password"] = another // Of the configuration that the tenant goes live with.
		w.mustApply().wantText(t, "0 added, 1 changed, 0 destroyed")
		w.assertPassword(another)
		w.assertOneTenant()
		w.assertNoChanges()
	})
}

// TestCLITenant_PasswordAfterKill: the next apply replaces or continues the tenant, with
// the password of its configuration or none.
func TestCLITenant_PasswordAfterKill(t *testing.T) {
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
}
