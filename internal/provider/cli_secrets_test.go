package provider_test

import (
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
)

// TestCLITenant_SecretsAreNeitherPrintedNorStored runs a tenant's lifecycle with a failure, a
// crash, a password, a login and a refused mail, with all logs at TRACE, and searches all
// output and files for each secret that was used.
func TestCLITenant_SecretsAreNeitherPrintedNorStored(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		const mailPassword = "smtp-pass/word+&=1234"
		w := setup(t, m, "")
		catcher, err := mailcatcher.Start(t.Context(), mailcatcher.Options{Username: "platform", Password: mailPassword})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = catcher.Close() })
		w.env["MAIL_HOST"], w.env["MAIL_PORT"] = catcher.SMTPHost(), strconv.Itoa(catcher.SMTPPort())
		w.env["MAIL_USER"], w.env["MAIL_PASSWORD"] = "platform", mailPassword
		w.env["TF_VAR_admin_password"], w.env["SOROBAN_CHANNELS"] = password, "2"
		w.env["TF_LOG"], w.env["TF_LOG_PATH"] = "TRACE", filepath.Join(w.dir, "trace.log")
		var said strings.Builder
		run := func(code int, args ...string) string {
			t.Helper()
			r := w.run(append(args, "-no-color")...)
			if said.WriteString(r.out); r.code != code {
				t.Fatalf("%v: exit code %d: %s", args, r.code, r.out)
			}
			return r.out
		}
		configuration := header + withPassword(t, "1") + applicationConfig(t)

		// A failed step, and a mail that is refused temporarily.
		w.write("main.tf", strings.Replace(configuration, "RUN", "1", 1))
		w.env["SOROBAN_MAX_FEE"] = "100"
		run(1, "apply", "-auto-approve")
		delete(w.env, "SOROBAN_MAX_FEE")
		catcher.RejectRecipients(451, "4.7.1 try later", 1)
		run(0, "apply", "-auto-approve")
		login := strings.Fields(w.read("seen"))[2]
		if err := os.Remove(filepath.Join(w.dir, "seen")); err != nil {
			t.Fatal(err)
		}
		run(0, "plan", "-out=plan")
		run(0, "show", "-json", "plan")
		run(0, "show", "-json")

		// A crash in the middle of a run.
		w.write("main.tf", strings.Replace(configuration, "RUN", "1", 1)+tenantConfig("other", "Other clinic"))
		w.net.Faults().HoldQueue(true)
		b := w.start("apply", "-auto-approve", "-no-color")
		w.waitWhileRunning(b, "the deployment", func() bool { return w.net.Faults().QueueSize() > 0 })
		w.signalProvider(syscall.SIGQUIT)
		w.net.Faults().HoldQueue(false)
		crash := w.finish(b)
		if said.WriteString(crash.out); crash.code == 0 {
			t.Errorf("no crash: %s", crash.out)
		}
		run(0, "apply", "-auto-approve")
		run(0, "destroy", "-auto-approve")

		secrets := map[string]string{
			"deployer's seed": w.seed, "database password": w.databasePassword, "mail password": mailPassword,
			"admin's password": password, "login's password": login,
		}
		invitations := regexp.MustCompile(`#invitation=(\S+)`)
		for _, mail := range catcher.Messages() {
			if found := invitations.FindStringSubmatch(mail.Text); found != nil {
				secrets["invitation"] = found[1]
			}
		}
		if m == apiMode {
			secrets["token"] = w.token
		}
		everything := map[string]string{
			"what was printed": said.String(), "the server's log": w.serverLog.String(), "the registry": w.registry.Text(), "the saved plan": w.planContents("plan"),
		}
		w.collectFiles(everything)
		for _, words := range []string{"provisioning step SEND_WELCOME_EMAIL COMPLETED", "tenant_id=", "SIGQUIT: quit", "goroutine "} {
			if !strings.Contains(everything["trace.log"], words) {
				t.Errorf("the log has no %q", words)
			}
		}
		for what, secret := range secrets {
			if len(secret) < 16 {
				t.Fatalf("the %s is no secret: %q", what, secret)
			}
			for where, text := range everything {
				if strings.Contains(text, secret) || strings.Contains(text, hex.EncodeToString([]byte(secret))) {
					t.Errorf("the %s is in %s", what, where)
				}
			}
		}
		if len(secrets) < 6 {
			t.Errorf("%d secrets", len(secrets))
		}
	})
}

// collectFiles adds the files of the working directory, except the provider and this
// test's settings.
func (w *testEnv) collectFiles(contents map[string]string) {
	w.t.Helper()
	err := filepath.WalkDir(w.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "terraform-provider-healthcare" {
			return err
		}
		text, err := os.ReadFile(path)
		contents[strings.TrimPrefix(path, w.dir+string(filepath.Separator))] = string(text)
		return err
	})
	if err != nil {
		w.t.Error(err)
	}
}
