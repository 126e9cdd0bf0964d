//go:build unix

package main_test

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestUsageErrors: each error names what the user gave, the fault and the remedy, and comes
// before a missing setting.
func TestUsageErrors(t *testing.T) {
	t.Parallel()
	w := &testEnv{t: t, program: testenv.Program(t, "cmd/tenant-api"), env: map[string]string{}}
	for line, want := range map[string]string{
		"worker --bogus":                                    "tenant-api worker has no flag --bogus\nRun tenant-api worker --help.",
		"worker -x":                                         "tenant-api worker has no flag -x\nRun tenant-api worker --help.",
		"worker --workers":                                  "tenant-api worker: --workers has no value; give one after it",
		"serve --=1":                                        "tenant-api serve: --=1 is not a flag; give --name value or --name=value",
		"serve --worker=maybe":                              `tenant-api serve: --worker is "maybe"; give true or false`,
		"serve now":                                         `tenant-api serve: it takes no argument "now"`,
		"tenants list --limit x":                            `tenant-api tenants list: --limit is "x"; give a whole number`,
		"tenants list --limit=-1":                           "tenant-api tenants list: --limit is -1; give 0 for all, or more",
		"tenants show":                                      "tenant-api tenants show: give one tenant, as an id or name:NAME\nRun tenant-api tenants show --help.",
		"tenants show name:St. Mary":                        `quote a name that has blanks, as in "name:St. Mary"`,
		"tenants show nope":                                 `tenant-api tenants show: "nope" is neither a tenant's id nor name:NAME`,
		"tenants show name:":                                "tenant-api tenants show: name: has no name after it",
		"tenants repair nope":                               `tenant-api tenants repair: "nope" is neither`,
		"tenants verify nope":                               `tenant-api tenants verify: "nope" is neither`,
		"tenants verify nope nope":                          "give at most one tenant",
		"tenants purge nope":                                `tenant-api tenants purge: "nope" is neither`,
		"tenants purge name:x":                              "tenant-api tenants purge: --confirm is not set; give the tenant's name",
		"tenants migrate --tenant nope":                     `tenant-api tenants migrate: --tenant is "nope"; give an id, or name:NAME`,
		"tenants migrate --parallel 0":                      "tenant-api tenants migrate: --parallel is 0; give 1 or more",
		"tenants migrate --canary 0":                        "tenant-api tenants migrate: --canary is 0; give 1 or more, or -1 for none",
		"contracts upgrade --canary 0":                      "tenant-api contracts upgrade: --canary is 0; give 1 or more, or -1 for none",
		"contracts upgrade --canary=-2":                     "tenant-api contracts upgrade: --canary is -2; give 1 or more, or -1 for none",
		"contracts show":                                    "tenant-api contracts show: give one tenant, as an id or name:NAME",
		"contracts reconcile nope":                          `tenant-api contracts reconcile: "nope" is neither`,
		"contracts anchor":                                  "tenant-api contracts anchor: give tenants, or --all",
		"contracts anchor nope":                             `tenant-api contracts anchor: "nope" is neither`,
		"contracts anchor --all nope":                       "tenant-api contracts anchor: give tenants or --all, not both",
		"apikey create":                                     "tenant-api apikey create: --name is not set; give the key a name, such as --name ci",
		"apikey create --scope admin":                       "tenant-api apikey create: --name is not set",
		"apikey create --name x":                            "tenant-api apikey create: --scope is not set; give tenants:read, tenants:write, tenants:purge, tenants:hold, tenants:credentials, blueprints:write or admin",
		"apikey create --name x --scope all":                `tenant-api apikey create: --scope is "all"; give tenants:read, tenants:write, tenants:purge, tenants:hold, tenants:credentials, blueprints:write or admin`,
		"apikey create --name x --scope admin --expires 5":  `tenant-api apikey create: --expires is "5"; give a duration such as 24h`,
		"apikey create --name x --scope admin --expires 0s": "tenant-api apikey create: --expires is 0s; give a time such as 720h",
		"apikey create --scope admin --name " + strings.Repeat("x", 101): "tenant-api apikey create: --name has an invalid length; give 1 to 100 characters",
		"apikey revoke":    "tenant-api apikey revoke: give one key, as its prefix, name or id",
		"help nope":        "tenant-api has no command \"nope\"\nRun tenant-api --help.",
		"help tenants lst": "tenant-api tenants has no command \"lst\"; did you mean \"list\"?\nRun tenant-api tenants --help.",
		"tenants help lst": `tenant-api tenants has no command "lst"; did you mean "list"?`,
		"tenants lst":      `tenant-api tenants has no command "lst"; did you mean "list"?`,
	} {
		r := w.run(strings.Fields(line)...)
		r.want(t, 2, want)
		if r.out != "" || strings.Count(r.err, "\n") != 2 {
			t.Errorf("%s printed %q and %q", line, r.out, r.err)
		}
	}
}

// TestSettingErrors: a setting that was given as a flag is named as the flag.
func TestSettingErrors(t *testing.T) {
	t.Parallel()
	w := &testEnv{t: t, program: testenv.Program(t, "cmd/tenant-api"), env: map[string]string{"SOROBAN_NETWORK": "mars", "RATE_LIMIT": "0", "WORKERS": "-2"}}
	for line, want := range map[string]string{
		"worker --workers -1":              `  - --workers (WORKERS) is "-1"; give a whole number from 1 to 256`,
		"worker":                           `  - WORKERS is "-2"; give a whole number`,
		"serve --port http":                `  - --port (APP_PORT) is "http"; give a whole number`,
		"serve":                            `  - RATE_LIMIT is "0"; give a whole number`,
		"serve --retention month":          `  - --retention (PURGE_RETENTION) is "month"; give hours and minutes, such as 72h or 90m`,
		"contracts upgrade --max-fee":      "--max-fee has no value",
		"contracts upgrade --max-fee 1XLM": `  - --max-fee (SOROBAN_MAX_FEE) is "1XLM"; give a whole number`,
		"channels --channels many":         `  - --channels (SOROBAN_CHANNELS) is "many"; give a whole number`,
		"channels":                         `  - SOROBAN_NETWORK is "mars"; choose testnet, public, futurenet or local, or set SOROBAN_NETWORK_PASSPHRASE`,
	} {
		w.run(strings.Fields(line)...).want(t, 2, want)
	}
	w.env = map[string]string{}
	w.run("healthcheck", "--port", "0").want(t, 2, "  - --port (APP_PORT) is 0; give the port that the server listens on")
}

func TestHelp(t *testing.T) {
	t.Parallel()
	w := &testEnv{t: t, program: testenv.Program(t, "cmd/tenant-api"), env: map[string]string{}}
	for line, want := range map[string][]string{
		"":                           {"tenant-api [command]\n", "no flag, so that no process list shows them", "tenant-api help settings", "completion bash"},
		"help settings":              {"SOROBAN_NETWORK_PASSPHRASE", "MAIL_FAILURE_POLICY", "DB_MAX_CONNECTIONS", "AUTH_OIDC_AUDIENCE", "minimum time between archiving and purging a tenant (default 720h; flag --retention)", "password, with DB_HOST (or DB_PASSWORD_FILE)", "BLUEPRINT_SECRET_* ", "SMTP server (provider: mail.host)"},
		"tenants help":               {"Usage:\n  tenant-api tenants [command]\n", "reconcile"},
		"tenants help show":          {"TENANT is an id, or name:NAME.", "tenant-api tenants show TENANT"},
		"help tenants show":          {"tenant-api tenants show TENANT", "--help"},
		"tenants repair --help":      {"TENANT is an id, or name:NAME."},
		"tenants purge --help":       {"TENANT is an id, or name:NAME."},
		"tenants verify --help":      {"TENANT is an id, or name:NAME.", "The registry owner could rewrite a chain without a trace"},
		"tenants reconcile --help":   {"expired logins"},
		"contracts show --help":      {"TENANT is an id, or name:NAME."},
		"contracts reconcile --help": {"TENANT is an id, or name:NAME."},
		"contracts anchor --help":    {"TENANT is an id, or name:NAME."},
		"channels --help":            {"tenant-api channels [flags]", "tenant-api channels [command]"},
		"serve --help":               {"AUTH_OIDC_ISSUER", "AUTH_OIDC_AUDIENCE", "port to serve on; 0 for any free port (APP_PORT; default 3000)"},
		"healthcheck --help":         {"port of the server (APP_PORT; default 3000)"},
		"apikey revoke --help":       {"revoke KEY", "prefix, name or id"},
	} {
		r := w.run(strings.Fields(line)...)
		r.out += "\n" + strings.Join(strings.Fields(r.out), " ") // Texts go on in the next line.
		r.want(t, 0, want...)
	}
}
