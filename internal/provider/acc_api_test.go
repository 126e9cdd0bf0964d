package provider_test

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/config"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
)

// apiRefused are steps with settings of API mode that are refused. The server's url is valid.
func (w *testEnv) apiRefused(url string) (steps []resource.TestStep) {
	for _, c := range []struct {
		configuration string
		wants         []string
	}{
		{`provider "healthcare" { api = { url = "http://tenants.example" } }`, []string{
			"Invalid provider configuration: api", "TENANT_API_URL begins with http, which would send the token unencrypted"}},
		{`provider "healthcare" { api = {} }`, []string{"TENANT_API_URL is not set"}},
		{`provider "healthcare" {
			api      = { url = "` + url + `" }
			database = { url = "postgres://h/d" }
			app_url  = "https://app.example"
		}`, []string{"database, app_url is set, too", "Remove api, or the other settings"}},
		// The CLI prints the source line of a diagnostic, so the token must not be on it.
		{`variable "token" {
			sensitive = true
			default   = "` + wrongToken + `"
		}
		provider "healthcare" { api = { url = "` + url + `", token = var.token } }`, []string{
			"tenant-api did not accept the token", "tenant-api apikey create", "Nothing was changed"}},
		{`provider "healthcare" { api = { url = "` + w.mail.URL() + `" } }`, []string{"the server at the given address is not tenant-api"}},
	} {
		steps = append(steps, w.refused(c.configuration+clinic, c.wants...))
	}
	// A server that does not answer may do so later.
	return append(steps, w.refusedAtApply(`provider "healthcare" { api = { url = "http://127.0.0.1:1" } }`+clinic, "tenant-api does not answer at http://127.0.0.1:1; check that it runs there and that TENANT_API_URL (api.url) is correct", "run terraform apply again"))
}

// TestAccAPI_Settings: a setting that cannot work is refused with its reason, and an
// address may be known only when the configuration is applied.
func TestAccAPI_Settings(t *testing.T) {
	w := framework(t, apiMode)
	url := w.server.url
	w.mode, w.env = databaseMode, map[string]string{"TENANT_API_TOKEN": w.token} // The provider's environment is the test's own from here on.
	later := applied(`
variable "url" {}
resource "terraform_data" "server" { input = var.url }
provider "healthcare" { api = { url = terraform_data.server.output } }
` + clinic)
	later.ConfigVariables = config.Variables{"url": config.StringVariable(url)}
	w.test(append(w.apiRefused(url),
		later,
		// The environment selects the mode only if no block of the configuration does.
		between(func() {
			w.assertStoredTenant()
			w.env["TENANT_API_URL"] = url
		}),
		w.refused(`provider "healthcare" {
			database = { url = "postgres://nobody@127.0.0.1:1/d" }
			mail     = { host = "127.0.0.1", from = "a@b.example" }
		}`+clinic, "SOROBAN_NETWORK is not set"),
		planned(clinic, plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionNoop)),
	)...)
}
