package config_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

func TestReadAPI_Console(t *testing.T) {
	t.Parallel()
	issuer := map[string]string{"AUTH_OIDC_ISSUER": "https://id.example", "AUTH_OIDC_AUDIENCE": "api", "CONSOLE_URL": "https://tenants.example", "CONSOLE_OIDC_CLIENT_ID": "console"}
	defaults := config.Console{Enabled: true, Scopes: []string{"openid", "profile"}, IdleTimeout: 30 * time.Minute, SessionTTL: 12 * time.Hour}
	for name, c := range map[string]struct {
		base, in map[string]string
		want     func(*config.Console)
		fault    string
	}{
		"Defaults":         {},
		"Off":              {in: map[string]string{"CONSOLE": "off"}, want: func(c *config.Console) { c.Enabled = false }},
		"BadSwitch":        {in: map[string]string{"CONSOLE": "yes"}, fault: `CONSOLE is "yes"; choose one of on, off`},
		"URLAlone":         {in: map[string]string{"CONSOLE_URL": "https://tenants.example/"}, want: func(c *config.Console) { c.URL = "https://tenants.example" }},
		"URLLoopback":      {in: map[string]string{"CONSOLE_URL": "http://127.0.0.1:3000"}, want: func(c *config.Console) { c.URL = "http://127.0.0.1:3000" }},
		"URLWithoutTLS":    {in: map[string]string{"CONSOLE_URL": "http://tenants.example"}, fault: `CONSOLE_URL has "http://tenants.example", which begins with http`},
		"URLWithPath":      {in: map[string]string{"CONSOLE_URL": "https://tenants.example/console"}, fault: `CONSOLE_URL has "https://tenants.example/console"`},
		"URLWithUser":      {in: map[string]string{"CONSOLE_URL": "https://a:b@tenants.example"}, fault: "CONSOLE_URL has an item with a user in it"},
		"URLThatIsNone":    {in: map[string]string{"CONSOLE_URL": "tenants.example"}, fault: `CONSOLE_URL has "tenants.example", which is not an origin`},
		"Client":           {base: issuer, want: func(c *config.Console) { c.URL, c.ClientID = "https://tenants.example", "console" }},
		"ClientSecret":     {base: issuer, in: map[string]string{"CONSOLE_OIDC_CLIENT_SECRET": "s"}, want: func(c *config.Console) { c.URL, c.ClientID, c.ClientSecret = "https://tenants.example", "console", "s" }},
		"SecretAlone":      {in: map[string]string{"CONSOLE_OIDC_CLIENT_SECRET": "s"}, fault: "CONSOLE_OIDC_CLIENT_ID is not set, but CONSOLE_OIDC_CLIENT_SECRET is; give both, or none"},
		"ClientWithoutURL": {base: issuer, in: map[string]string{"CONSOLE_URL": ""}, fault: "CONSOLE_URL is not set, but CONSOLE_OIDC_CLIENT_ID is; give the address at which browsers reach the server, as https://tenants.example"},
		"ClientAlone":      {in: map[string]string{"CONSOLE_OIDC_CLIENT_ID": "console", "CONSOLE_URL": "https://tenants.example"}, fault: "AUTH_OIDC_ISSUER is not set, but CONSOLE_OIDC_CLIENT_ID is"},
		"Scopes":           {in: map[string]string{"CONSOLE_OIDC_SCOPES": " openid  api://tenants/.default "}, want: func(c *config.Console) { c.Scopes = []string{"openid", "api://tenants/.default"} }},
		"ScopesOfNobody":   {in: map[string]string{"CONSOLE_OIDC_SCOPES": "profile"}, fault: "CONSOLE_OIDC_SCOPES has no openid"},
		"BadScopes":        {in: map[string]string{"CONSOLE_OIDC_SCOPES": "openid \"a\""}, fault: "CONSOLE_OIDC_SCOPES has something that is no scope"},
		"Times": {in: map[string]string{"CONSOLE_IDLE_TIMEOUT": "5m", "CONSOLE_SESSION_TTL": "168h"}, want: func(c *config.Console) {
			c.IdleTimeout, c.SessionTTL = 5*time.Minute, 168*time.Hour
		}},
		"ShortIdle": {in: map[string]string{"CONSOLE_IDLE_TIMEOUT": "4m59s"}, fault: "CONSOLE_IDLE_TIMEOUT is 4m59s; give a time from 5m0s to that of CONSOLE_SESSION_TTL, 12h0m0s"},
		"LongIdle":  {in: map[string]string{"CONSOLE_IDLE_TIMEOUT": "13h"}, fault: "CONSOLE_IDLE_TIMEOUT is 13h0m0s; give a time from 5m0s to that of CONSOLE_SESSION_TTL, 12h0m0s"},
		"ShortTTL":  {in: map[string]string{"CONSOLE_SESSION_TTL": "1m"}, fault: "CONSOLE_SESSION_TTL is 1m0s; give a time from 5m0s to 168h0m0s"},
		"LongTTL":   {in: map[string]string{"CONSOLE_SESSION_TTL": "169h"}, fault: "CONSOLE_SESSION_TTL is 169h0m0s; give a time from 5m0s to 168h0m0s"},
		"TTLBelowTheDefaultOfIdle": {in: map[string]string{"CONSOLE_SESSION_TTL": "10m"}, want: func(c *config.Console) {
			c.SessionTTL = 10 * time.Minute
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := map[string]string{}
			maps.Copy(in, c.base)
			maps.Copy(in, c.in)
			got, err := config.ReadAPI(sourceOf(in))
			wantError(t, err, c.fault)
			want := defaults
			if c.want != nil {
				c.want(&want)
			}
			if g := got.Console; c.fault == "" && (g.Enabled != want.Enabled || g.URL != want.URL || g.ClientID != want.ClientID || g.ClientSecret != want.ClientSecret ||
				!slices.Equal(g.Scopes, want.Scopes) || g.IdleTimeout != want.IdleTimeout || g.SessionTTL != want.SessionTTL) {
				t.Errorf("%+v, want %+v", g, want)
			}
		})
	}
	t.Run("SecretInAFile", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(file, []byte("from a file\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		in := maps.Clone(issuer)
		in["CONSOLE_OIDC_CLIENT_SECRET_FILE"] = file
		got, err := config.ReadAPI(sourceOf(in))
		if err != nil || got.Console.ClientSecret.Reveal() != "from a file" {
			t.Errorf("%v", err)
		}
	})
}
