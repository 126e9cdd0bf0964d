package config_test

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

// FuzzRead: settings of any text are read or are an error that names a variable and never
// has the value of a secret.
func FuzzRead(f *testing.F) {
	f.Add("postgres://u:s3cret-password@h/d", "SBADSEED-s3cret", "587", "24h", "https://app.example")
	f.Add("mysql://u:s3cret-password@h/d", "", "-1", "5", "ftp://x")
	f.Add("host=/tmp password='it''s s3cret' dbname=x", "S\x00", "99999999999999999999", "1e9h", "https://user:pw@app.example/?q#f")
	f.Add("", " ", "0x10", "-5m", "://")
	f.Fuzz(func(t *testing.T, url, secret, number, duration, address string) {
		const marker = "q7Zx9vK2" // In no other value.
		if strings.Contains(url+number+duration+address, marker) {
			return
		}
		secret = secret[:len(secret)/2] + marker + secret[len(secret)/2:]
		values := map[string]string{
			config.DatabaseURL: url, config.DatabasePassword: secret, config.DatabasePort: number, config.DatabaseHost: address,
			config.SorobanNetwork: "testnet", config.SorobanDeployerSecret: secret, config.SorobanMaxFee: number, config.SorobanAnchorInterval: duration, config.SorobanRPCURL: address,
			config.MailHost: address, config.MailPort: number, config.MailFrom: address, config.MailPassword: secret, config.AppURL: address,
			"APP_PORT": number, "WORKERS": number, "PURGE_RETENTION": duration,
		}
		source := config.Source(func(variable string) string { return values[variable] })
		for name, read := range map[string]func() error{
			"database": func() error { _, err := config.ReadDatabase(source); return err },
			"soroban":  func() error { _, err := config.ReadSoroban(source); return err },
			"mail":     func() error { _, err := config.ReadMail(source); return err },
			"api":      func() error { _, err := config.ReadAPI(source); return err },
		} {
			err := read()
			if err == nil {
				continue
			}
			if len(config.ValidationErrors(err)) == 0 {
				t.Errorf("%s: %v names no setting", name, err)
			}
			if strings.Contains(err.Error(), marker) {
				t.Errorf("%s: the error has the secret %q", name, secret)
			}
		}
	})
}
