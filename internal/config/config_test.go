package config_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

func sourceOf(values map[string]string) config.Source {
	return config.Source(func(string) string { return "" }).WithOverrides(values)
}

// seed has the form of a secret key but is not one.
var seed = "S" + strings.Repeat("A", 55)

func TestSecret_NeverPrints(t *testing.T) {
	t.Parallel()
	s := struct {
		Password config.Secret
		p        *config.Secret
	}{Password: "hunter2"}
	s.p = &s.Password
	encoded, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "secret", s.Password, "struct", s)
	out := fmt.Sprintf("%v %+v %#v %s %q %d %x %s", s, s, s, s.Password, s.Password, s.Password, *s.p, encoded) + b.String()
	if strings.Contains(out, "hunter2") || strings.Contains(out, fmt.Sprintf("%x", "hunter2")) {
		t.Errorf("printed: %s", out)
	}
	if s.Password.Reveal() != "hunter2" {
		t.Error("Reveal does not")
	}
}

func TestReadDatabase(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in    map[string]string
		url   string
		fault string
	}{
		"URL":           {in: map[string]string{"DATABASE_URL": "postgres://u:p@h/d", "DB_HOST": "other"}, url: "postgres://u:p@h/d"},
		"Parts":         {in: map[string]string{"DB_HOST": "h", "DB_USERNAME": "u", "DB_PASSWORD": "p/ä ", "DB_NAME": "d"}, url: "postgres://u:p%2F%C3%A4%20@h:5432/d?sslmode=prefer"},
		"IPv6":          {in: map[string]string{"DB_HOST": "::1", "DB_PORT": "5433", "DB_NAME": "d"}, url: "postgres://[::1]:5433/d?sslmode=prefer"},
		"PGVariables":   {in: map[string]string{"PGHOST": "h"}, url: ""},
		"Nothing":       {in: nil, fault: "DATABASE_URL is not set"},
		"OnlyUser":      {in: map[string]string{"DB_HOST": "h", "DB_USERNAME": "u", "DB_NAME": "d"}, url: "postgres://u@h:5432/d?sslmode=prefer"},
		"OnlyPassword":  {in: map[string]string{"DB_HOST": "h", "DB_PASSWORD": "s3cret"}, fault: "DB_USERNAME is not set, but DB_PASSWORD is"},
		"WrongScheme":   {in: map[string]string{"DATABASE_URL": "mysql://u:s3cret@h/d"}, fault: "DATABASE_URL cannot be read"},
		"WrongSSLMode":  {in: map[string]string{"DB_HOST": "h", "DB_SSLMODE": "maybe"}, fault: `DB_SSLMODE is "maybe"; choose one of`},
		"WrongPort":     {in: map[string]string{"DB_HOST": "h", "DB_PORT": "99999"}, fault: `DB_PORT is "99999"; give a whole number from 1 to 65535`},
		"Hosts":         {in: map[string]string{"DATABASE_URL": "postgres://u:p@h1:5432,h2,h3:5433/d?sslmode=require"}, url: "postgres://u:p@h1:5432,h2,h3:5433/d?sslmode=require"},
		"HostsFault":    {in: map[string]string{"DATABASE_URL": "postgres://u:s3 cret@h 1,h2/d"}, fault: "DATABASE_URL cannot be read"},
		"DirectURL":     {in: map[string]string{"DATABASE_DIRECT_URL": "mysql://u:s3cret@h/d", "DATABASE_URL": "postgres://h/d"}, fault: "DATABASE_DIRECT_URL cannot be read"},
		"RoleNone":      {in: map[string]string{"DATABASE_ROLE": "None", "DATABASE_URL": "postgres://h/d"}, fault: "DATABASE_ROLE is none, which is no role"},
		"RoleTooLong":   {in: map[string]string{"DATABASE_ROLE": strings.Repeat("é", 32), "DATABASE_URL": "postgres://h/d"}, fault: "DATABASE_ROLE has 64 bytes"},
		"OnlyDirectURL": {in: map[string]string{"DATABASE_DIRECT_URL": "postgres://h/d"}, url: ""},
		"Blueprint":     {in: map[string]string{"DATABASE_URL": "postgres://h/d", "DEFAULT_BLUEPRINT": "Clinic"}, fault: `DEFAULT_BLUEPRINT is "Clinic"; write lower-case letters`},
		"Reason":        {in: map[string]string{"DATABASE_URL": "postgres://h/d", "CREDENTIAL_REASON": "always"}, fault: `CREDENTIAL_REASON is "always"; choose one of`},
		"NoConnections": {in: map[string]string{"DATABASE_URL": "postgres://h/d", "DB_MAX_CONNECTIONS": "0"}, fault: "DB_MAX_CONNECTIONS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := config.ReadDatabase(sourceOf(c.in))
			wantError(t, err, c.fault)
			if c.fault == "" && got.URL.Reveal() != c.url {
				t.Errorf("URL %s, want %s", got.URL.Reveal(), c.url)
			}
			want := c.url
			if direct := c.in["DATABASE_DIRECT_URL"]; direct != "" {
				want = direct
			}
			if c.fault == "" && got.SessionURL().Reveal() != want {
				t.Errorf("session URL %s, want %s", got.SessionURL().Reveal(), want)
			}
		})
	}
}

func TestReadDatabase_DefaultBlueprint(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "standard", " ": "standard", " clinic ": "clinic"} {
		got, err := config.ReadDatabase(sourceOf(map[string]string{"DATABASE_URL": "postgres://h/d", "DEFAULT_BLUEPRINT": text}))
		if err != nil || got.DefaultBlueprint != want {
			t.Errorf("%q: %q, %v", text, got.DefaultBlueprint, err)
		}
	}
}

func TestReadSoroban(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in         map[string]string
		passphrase string
		fault      string
	}{
		"Testnet":        {in: map[string]string{"SOROBAN_NETWORK": "testnet"}, passphrase: "Test SDF Network ; September 2015"},
		"MainnetIsAlias": {in: map[string]string{"SOROBAN_NETWORK": "mainnet", "SOROBAN_RPC_URL": "https://rpc.example"}, passphrase: "Public Global Stellar Network ; September 2015"},
		"CustomNetwork":  {in: map[string]string{"SOROBAN_NETWORK": "ours", "SOROBAN_NETWORK_PASSPHRASE": "Ours", "SOROBAN_RPC_URL": "http://h"}, passphrase: "Ours"},
		"UnknownNetwork": {in: map[string]string{"SOROBAN_NETWORK": "ours"}, fault: `SOROBAN_NETWORK is "ours"; choose testnet, public, futurenet or local, or set SOROBAN_NETWORK_PASSPHRASE for another network`},
		"OtherPassphrase": {
			in:    map[string]string{"SOROBAN_NETWORK": "testnet", "SOROBAN_NETWORK_PASSPHRASE": "Public Global Stellar Network ; September 2015"},
			fault: `SOROBAN_NETWORK_PASSPHRASE is "Public Global Stellar Network ; September 2015", but SOROBAN_NETWORK is testnet, whose passphrase is another; remove SOROBAN_NETWORK_PASSPHRASE, or give a network of your own another name in SOROBAN_NETWORK`,
		},
		"OtherPassphraseOfAlias": {in: map[string]string{"SOROBAN_NETWORK": "Mainnet", "SOROBAN_NETWORK_PASSPHRASE": "Ours", "SOROBAN_RPC_URL": "http://h"}, fault: `SOROBAN_NETWORK_PASSPHRASE is "Ours", but SOROBAN_NETWORK is public`},
		"OtherPassphraseOfLocal": {in: map[string]string{"SOROBAN_NETWORK": "local", "SOROBAN_NETWORK_PASSPHRASE": "Ours"}, fault: `SOROBAN_NETWORK_PASSPHRASE is "Ours", but SOROBAN_NETWORK is local`},
		"SamePassphrase":         {in: map[string]string{"SOROBAN_NETWORK": "local", "SOROBAN_NETWORK_PASSPHRASE": "Standalone Network ; February 2017"}, passphrase: "Standalone Network ; February 2017"},
		"OwnNameOfTestnet":       {in: map[string]string{"SOROBAN_NETWORK": "ours", "SOROBAN_NETWORK_PASSPHRASE": "Test SDF Network ; September 2015", "SOROBAN_RPC_URL": "http://h"}, fault: `SOROBAN_NETWORK is "ours", but SOROBAN_NETWORK_PASSPHRASE is that of testnet; give testnet as SOROBAN_NETWORK, and remove SOROBAN_NETWORK_PASSPHRASE`},
		"OwnNameAlmostTestnet":   {in: map[string]string{"SOROBAN_NETWORK": "ours", "SOROBAN_NETWORK_PASSPHRASE": "Test SDF Network; September 2015", "SOROBAN_RPC_URL": "http://h"}, fault: `SOROBAN_NETWORK_PASSPHRASE is "Test SDF Network; September 2015", which is almost the passphrase of testnet, "Test SDF Network ; September 2015"; give testnet as SOROBAN_NETWORK, and remove SOROBAN_NETWORK_PASSPHRASE`},
		"PublicNeedsURL":         {in: map[string]string{"SOROBAN_NETWORK": "public"}, fault: "SOROBAN_RPC_URL is not set"},
		"NoNetwork":              {in: map[string]string{}, fault: "SOROBAN_NETWORK is not set"},
		"NoSeed":                 {in: map[string]string{"SOROBAN_NETWORK": "testnet", "SOROBAN_CONTRACT_DEPLOYER_SECRET": " "}, fault: "SOROBAN_CONTRACT_DEPLOYER_SECRET is not set"},
		"PublicKey":              {in: map[string]string{"SOROBAN_NETWORK": "testnet", "SOROBAN_CONTRACT_DEPLOYER_SECRET": "G" + seed[1:]}, fault: "SOROBAN_CONTRACT_DEPLOYER_SECRET is not a secret key"},
		"BadURL":                 {in: map[string]string{"SOROBAN_NETWORK": "testnet", "SOROBAN_RPC_URL": "ftp://x"}, fault: "SOROBAN_RPC_URL is not a URL"},
		"BadFee":                 {in: map[string]string{"SOROBAN_NETWORK": "testnet", "SOROBAN_MAX_FEE": "1 XLM"}, fault: "SOROBAN_MAX_FEE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := config.ReadSoroban(sourceOf(map[string]string{"SOROBAN_CONTRACT_DEPLOYER_SECRET": seed}).WithOverrides(c.in))
			wantError(t, err, c.fault)
			if got.Passphrase != c.passphrase && c.fault == "" {
				t.Errorf("passphrase %q", got.Passphrase)
			}
		})
	}
}

func TestReadMail(t *testing.T) {
	t.Parallel()
	base := map[string]string{"MAIL_HOST": "smtp.example", "MAIL_FROM": "a@b.example", "APP_URL": "https://app.example/"}
	for name, c := range map[string]struct {
		in    map[string]string
		fault string
	}{
		"Defaults":         {},
		"NamedSender":      {in: map[string]string{"MAIL_FROM": "Platform <a@b.example>"}},
		"NoneOnLoopback":   {in: map[string]string{"MAIL_HOST": "127.0.0.1", "MAIL_TLS": "none"}},
		"NoneElsewhere":    {in: map[string]string{"MAIL_TLS": "none"}, fault: "MAIL_TLS is none, which is allowed only on loopback"},
		"BadSender":        {in: map[string]string{"MAIL_FROM": "nobody"}, fault: "MAIL_FROM is not an address"},
		"BadPolicy":        {in: map[string]string{"MAIL_FAILURE_POLICY": "panic"}, fault: "MAIL_FAILURE_POLICY"},
		"NoUser":           {in: map[string]string{"MAIL_PASSWORD": "s3cret"}, fault: "MAIL_USER is not set"},
		"BadAppURL":        {in: map[string]string{"APP_URL": "app.example"}, fault: "APP_URL is \"app.example\", which is not a base URL"},
		"OwnPage":          {in: map[string]string{"INVITATION_URL": "https://app.example/welcome"}},
		"BadPage":          {in: map[string]string{"INVITATION_URL": "https://app.example/welcome#x"}, fault: "INVITATION_URL is \"https://app.example/welcome#x\", which is not the address of a page"},
		"OAuth":            {in: oauth(nil)},
		"OAuthOnLoopback":  {in: oauth(map[string]string{"MAIL_OAUTH_TOKEN_URL": "http://127.0.0.1:1/token"})},
		"OAuthWithoutTLS":  {in: oauth(map[string]string{"MAIL_OAUTH_TOKEN_URL": "http://login.example/token"}), fault: "MAIL_OAUTH_TOKEN_URL is not the https address"},
		"OAuthUserInURL":   {in: oauth(map[string]string{"MAIL_OAUTH_TOKEN_URL": "https://s3cret@login.example/token"}), fault: "MAIL_OAUTH_TOKEN_URL is not the https address"},
		"OAuthNoURL":       {in: map[string]string{"MAIL_OAUTH_CLIENT_ID": "id"}, fault: "MAIL_OAUTH_TOKEN_URL is not set"},
		"OAuthNoClient":    {in: map[string]string{"MAIL_USER": "a@b.example", "MAIL_OAUTH_TOKEN_URL": "https://login.example/token", "MAIL_OAUTH_CLIENT_SECRET": "s3cret"}, fault: "MAIL_OAUTH_CLIENT_ID is not set"},
		"OAuthNoSecret":    {in: map[string]string{"MAIL_USER": "a@b.example", "MAIL_OAUTH_TOKEN_URL": "https://login.example/token", "MAIL_OAUTH_CLIENT_ID": "id"}, fault: "MAIL_OAUTH_CLIENT_SECRET is not set"},
		"OAuthNoUser":      {in: map[string]string{"MAIL_OAUTH_TOKEN_URL": "https://login.example/token", "MAIL_OAUTH_CLIENT_ID": "id", "MAIL_OAUTH_CLIENT_SECRET": "s3cret"}, fault: "MAIL_USER is not set"},
		"OAuthAndPassword": {in: oauth(map[string]string{"MAIL_PASSWORD": "s3cret"}), fault: "MAIL_PASSWORD is set"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := config.ReadMail(sourceOf(base).WithOverrides(c.in))
			wantError(t, err, c.fault)
			if c.fault == "" && (got.Port != 587 || got.AppURL != "https://app.example" || got.FailurePolicy != "warn") {
				t.Errorf("%+v", got)
			}
		})
	}
	t.Run("ReportsAllErrorsAtOnce", func(t *testing.T) {
		t.Parallel()
		_, err := config.ReadMail(sourceOf(map[string]string{"MAIL_PORT": "x"}))
		var names []string
		for _, f := range config.ValidationErrors(err) {
			names = append(names, f.Variable)
		}
		if strings.Join(names, " ") != "MAIL_HOST MAIL_PORT MAIL_FROM" {
			t.Errorf("faults %v", names)
		}
	})
}

// oauth returns complete settings of OAuth, with changes.
func oauth(changes map[string]string) map[string]string {
	all := map[string]string{
		"MAIL_USER": "a@b.example", "MAIL_OAUTH_TOKEN_URL": "https://login.example/token", "MAIL_OAUTH_CLIENT_ID": "id", "MAIL_OAUTH_CLIENT_SECRET": "s3cret",
	}
	maps.Copy(all, changes)
	return all
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("error %v", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("error %v, want %q in it", err, want)
	case err != nil && strings.Contains(err.Error(), "s3cret"):
		t.Errorf("error shows a secret: %v", err)
	}
}

// TestReadMail_AppURL: without APP_URL, mails would lead to this machine; that is an error where
// others read them.
func TestReadMail_AppURL(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in    map[string]string
		url   string
		fault string
	}{
		"AllOnLoopback":     {url: "http://127.0.0.1:3000"},
		"Localhost":         {in: map[string]string{"MAIL_HOST": "localhost", "APP_HOST": "::1", "APP_PORT": "4000"}, url: "http://[::1]:4000"},
		"MailServer":        {in: map[string]string{"MAIL_HOST": "smtp.example"}, fault: `APP_URL is not set, but MAIL_HOST is "smtp.example", which is not this machine: links in its mails would lead to http://127.0.0.1:3000; give the base address`},
		"AllInterfaces":     {in: map[string]string{"APP_HOST": "0.0.0.0"}, fault: `APP_URL is not set, but APP_HOST is "0.0.0.0", which is not this machine alone`},
		"AllInterfacesIPv6": {in: map[string]string{"APP_HOST": "::"}, fault: `APP_URL is not set, but APP_HOST is "::"`},
		"AnyPort":           {in: map[string]string{"APP_PORT": "0"}, fault: "APP_URL is not set, but APP_PORT is 0"},
		"Set":               {in: map[string]string{"APP_URL": "https://app.example", "MAIL_HOST": "smtp.example", "APP_HOST": "0.0.0.0"}, url: "https://app.example"},
		"SetToLoopback":     {in: map[string]string{"APP_URL": "http://127.0.0.1:3000", "MAIL_HOST": "smtp.example"}, url: "http://127.0.0.1:3000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := config.ReadMail(sourceOf(map[string]string{"MAIL_HOST": "127.0.0.1", "MAIL_FROM": "a@b.example"}).WithOverrides(c.in))
			wantError(t, err, c.fault)
			if c.fault == "" && got.AppURL != c.url {
				t.Errorf("%s, want %s", got.AppURL, c.url)
			}
			if n := len(config.ValidationErrors(err)); c.fault != "" && n != 1 {
				t.Errorf("%d faults: %v", n, err)
			}
		})
	}
}
