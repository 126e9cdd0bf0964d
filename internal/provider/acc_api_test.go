package provider_test

import (
	"strings"
	"testing"
)

func TestAccAPI_Settings(t *testing.T) {
	w := setup(t, apiMode, "")
	url, token := w.server.url, w.token
	w.mode = databaseMode // The CLI's environment is the test's own from here on.
	w.env = map[string]string{"TENANT_API_TOKEN": token}
	for name, c := range map[string]struct {
		configuration string
		wants         []string
	}{
		"InTheClear": {`provider "healthcare" { api = { url = "http://tenants.example" } }`, []string{
			"Invalid provider configuration: api", "TENANT_API_URL begins with http, which would send the token unencrypted"}},
		"NoURL": {`provider "healthcare" { api = {} }`, []string{"TENANT_API_URL is not set"}},
		"Both": {`provider "healthcare" {
			api      = { url = "` + url + `" }
			database = { url = "postgres://h/d" }
			app_url  = "https://app.example"
		}`, []string{"database, app_url is set, too", "Remove api, or the other settings"}},
		// The CLI prints the source line of a diagnostic, so the token must not be on it.
		"WrongToken": {`variable "token" {
			sensitive = true
			default   = "hck_aaaaaaaaaaaa.` + strings.Repeat("A", 43) + `"
		}
		provider "healthcare" { api = { url = "` + url + `", token = var.token } }`, []string{
			"tenant-api did not accept the token", "tenant-api apikey create", "Nothing was changed"}},
		"NotTenantAPI": {`provider "healthcare" { api = { url = "` + w.mail.URL() + `" } }`, []string{
			"the server at the given address is not tenant-api"}},
		"ConnectionRefused": {`provider "healthcare" { api = { url = "http://127.0.0.1:1" } }`, []string{
			"tenant-api does not answer", "run terraform apply again"}},
	} {
		w.write("main.tf", header+c.configuration+clinic)
		r := w.apply()
		if r.code == 0 {
			t.Errorf("%s: applied", name)
		}
		r.wantText(t, c.wants...)
		if strings.Contains(r.out, token) || strings.Contains(r.out, strings.Repeat("A", 43)) {
			t.Errorf("%s: a token is printed: %s", name, r.out)
		}
	}
	w.write("main.tf", header+`
variable "url" {}
resource "terraform_data" "server" { input = var.url }
provider "healthcare" { api = { url = terraform_data.server.output } }
`+clinic)
	w.env["TF_VAR_url"] = url
	w.mustApply() // The address is not known when this is planned.
	w.assertNoChanges()
	w.assertOneTenant()

	// The environment selects the mode only if no block of the configuration does.
	w.env["TENANT_API_URL"] = url
	w.run("state", "rm", "terraform_data.server")
	w.write("main.tf", header+clinic)
	w.assertNoChanges()
	w.write("main.tf", header+`provider "healthcare" { database = { url = "postgres://nobody@127.0.0.1:1/d" } }`+clinic)
	w.run("plan", "-no-color").wantText(t, "SOROBAN_NETWORK is not set")
}

// TestAccAPI_ServerKilled: the apply continues with the server that
// replaces the killed one.
func TestAccAPI_ServerKilled(t *testing.T) {
	w := setup(t, apiMode, clinic)
	w.net.Faults().HoldQueue(true)
	b := w.start("apply", "-auto-approve", "-no-color")
	w.waitWhileRunning(b, "the deployment", func() bool { return w.net.Faults().QueueSize() > 0 })
	w.restart()
	w.net.Faults().HoldQueue(false)
	if r := w.finish(b); r.code != 0 {
		t.Fatalf("apply: %s", r.out)
	}
	w.assertOneTenant()
	w.assertNoChanges()
}
