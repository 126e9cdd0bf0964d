package config_test

import (
	"errors"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

// readAll reads every group of settings.
func readAll(source config.Source) (all []any, err error) {
	database, e1 := config.ReadDatabase(source)
	soroban, e2 := config.ReadSoroban(source)
	mail, e3 := config.ReadMail(source)
	api, e4 := config.ReadAPI(source)
	retention, e5 := config.ReadRetention(source)
	log, e6 := config.ReadLog(source)
	client, e7 := config.ReadTenantAPI(source)
	webhook, e8 := config.ReadWebhook(source)
	backup, e9 := config.ReadBackup(source)
	tracing, e10 := config.ReadTracing(source)
	return []any{database, soroban, mail, api, retention, log, client, webhook.Allow, backup, tracing}, errors.Join(e1, e2, e3, e4, e5, e6, e7, e8, e9, e10)
}

// required are the settings without a default that a program needs.
var required = map[string]string{
	"DB_HOST": "h", "APP_URL": "https://app.example", "SOROBAN_NETWORK": "testnet", "SOROBAN_CONTRACT_DEPLOYER_SECRET": seed, "MAIL_HOST": "smtp.example",
	"MAIL_FROM": "a@b.example", "TENANT_API_URL": "https://tenants.example", "TENANT_API_TOKEN": "t",
}

// TestSettings_AreThoseThatAreRead compares the list with the variables that are read.
func TestSettings_AreThoseThatAreRead(t *testing.T) {
	t.Parallel()
	read := map[string]bool{}
	for _, values := range []map[string]string{nil, required, {"PGSERVICE": "s"}} {
		given := sourceOf(values)
		_, _ = readAll(func(variable string) string { // Missing ones are errors, which do not end the reading.
			read[variable] = true
			return given(variable)
		})
	}
	var listed, groups []string
	for _, s := range config.Settings() {
		listed = append(listed, s.Variable)
		if s.Secret {
			listed = append(listed, s.Variable+config.FileSuffix)
		}
		if s.Usage == "" {
			t.Errorf("%s is not described", s.Variable)
		}
		if len(groups) == 0 || groups[len(groups)-1] != s.Group {
			groups = append(groups, s.Group)
		}
	}
	if want := slices.Sorted(maps.Keys(read)); !slices.Equal(slices.Sorted(slices.Values(listed)), want) {
		t.Errorf("listed: %v\nread: %v", slices.Sorted(slices.Values(listed)), want)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(groups)))) != len(groups) {
		t.Errorf("the settings of a group are not together: %v", groups)
	}
}

// TestSettings_Defaults sets each variable to its listed default, which changes nothing.
func TestSettings_Defaults(t *testing.T) {
	t.Parallel()
	want, err := readAll(sourceOf(required))
	wantError(t, err, "")
	for _, s := range config.Settings() {
		if s.Default == "" || s.Variable == "APP_URL" || strings.ContainsAny(s.Default, " '") { // Its default depends on others.
			continue
		}
		got, err := readAll(sourceOf(required).WithOverrides(map[string]string{s.Variable: s.Default}))
		wantError(t, err, "")
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the default of %s is not %s", s.Variable, s.Default)
		}
	}
	if s := config.SettingOf("AUTH_OIDC_AUDIENCE"); s.Usage == "" {
		t.Errorf("%+v", s)
	}
	if s := config.SettingOf("NOTHING"); s != (config.Setting{Variable: "NOTHING"}) {
		t.Errorf("%+v", s)
	}
}

var settingRow = regexp.MustCompile("(?m)^\\| `([A-Z][A-Z0-9_]+)` \\| (?:(.*) )?\\| (.*) \\|$")

// TestSettings_README compares the table of README with the list.
func TestSettings_README(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := settingRow.FindAllStringSubmatch(string(text), -1)
	if len(rows) < 15 {
		t.Errorf("only %d rows", len(rows))
	}
	for _, row := range rows {
		if s := config.SettingOf(row[1]); s.Usage != strings.ReplaceAll(row[3], "`", "") || s.Default != row[2] {
			t.Errorf("README has %q, the list %+v", row[0], s)
		}
	}
}
