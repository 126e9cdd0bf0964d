package provider_test

import (
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/config"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
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
		{`provider "healthcare" { api = { url = "http://127.0.0.1:1" } }`, []string{"tenant-api does not answer", "run terraform apply again"}},
	} {
		steps = append(steps, w.refused(c.configuration+clinic, c.wants...))
	}
	return steps
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
`+clinic, wantText("status", "ACTIVE"), statecheck.ExpectKnownValue(clinicAddress, tfjsonpath.New("soroban_contract_id"), knownvalue.StringFunc(func(id string) error {
		if stored := w.text(`SELECT soroban_contract_id FROM tenants`); id != stored {
			return fmt.Errorf("the contract is %s, not %s", stored, id)
		}
		return nil
	})))
	later.ConfigVariables = config.Variables{"url": config.StringVariable(url)}
	w.test(append(w.apiRefused(url),
		later,
		// The environment selects the mode only if no block of the configuration does.
		between(func() {
			w.assertOneTenantLive()
			w.env["TENANT_API_URL"] = url
		}),
		w.refused(`provider "healthcare" {
			database = { url = "postgres://nobody@127.0.0.1:1/d" }
			mail     = { host = "127.0.0.1", from = "a@b.example" }
		}`+clinic, "SOROBAN_NETWORK is not set"),
		planned(clinic, plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionNoop)),
	)...)
}
