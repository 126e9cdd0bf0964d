package config_test

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

func TestMisspellings(t *testing.T) {
	t.Parallel()
	for name, nearest := range map[string]string{
		"DATABASE_ULR":                     "DATABASE_URL",
		"DATABSE_URL":                      "DATABASE_URL",
		"DATABASEURL":                      "DATABASE_URL",
		"DATABASE_URL_FIEL":                "DATABASE_URL_FILE",
		"DB_PASWORD":                       "DB_PASSWORD",
		"DB_HSOT":                          "DB_HOST",
		"SOROBAN_NETWOKR":                  "SOROBAN_NETWORK",
		"SORBAN_CONTRACT_DEPLOYR_SECRET":   "SOROBAN_CONTRACT_DEPLOYER_SECRET",
		"SOROBAN_NETWORK_PASSPHRASES":      "SOROBAN_NETWORK_PASSPHRASE",
		"APP_ULR":                          "APP_URL",
		"APP_URI":                          "APP_URL",
		"MAIL_FORM":                        "MAIL_FROM",
		"MAIL_OAUTH_CLIENT_SECERT":         "MAIL_OAUTH_CLIENT_SECRET",
		"RATE_LIMITS":                      "RATE_LIMIT",
		"WORKER":                           "WORKERS",
		"CORS_ORIGIN":                      "CORS_ORIGINS",
		"TENANT_API_TOKENS":                "TENANT_API_TOKEN",
		"BLUEPRINTS_SECRET_DIRECTORY":      "BLUEPRINT_SECRET_DIRECTORY",
		"BLUEPRINT_SECRETS_DIRECTORY_FILE": "BLUEPRINT_SECRET_DIRECTORY_FILE",
		"MAIL_HOST_FILE":                   "MAIL_HOST",
	} {
		got := config.Misspellings([]string{"HOME=/root", name + "=s3cret"})
		if len(got) != 1 || got[0] != (config.Misspelling{Variable: name, Nearest: nearest}) {
			t.Errorf("%s: %v, want %s", name, got, nearest)
			continue
		}
		if w := got[0].Warning(); !strings.Contains(w, name) || !strings.Contains(w, nearest) || strings.Contains(w, "s3cret") {
			t.Error(w)
		}
	}
}

// TestMisspellings_Others: what other programs read is no misspelling.
func TestMisspellings_Others(t *testing.T) {
	t.Parallel()
	environment := []string{"DATABASE_ULR=", "=C:=C:\\", "DB_PASSWORD_FILE=/x", "BLUEPRINT_SECRET_X=a", "BLUEPRINT_SECRET_X_FILE=/x", "MAIL_CA_FILE=/x"}
	for _, s := range config.Settings() {
		environment = append(environment, s.Variable+"=x")
	}
	for _, name := range []string{
		"PATH", "HOME", "PWD", "LANG", "TERM", "SHELL", "USER", "LOGNAME", "HOSTNAME", "HOST", "PORT", "TMPDIR", "EDITOR", "CI", "DEBUG",
		"PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE", "PGPASSFILE", "PGHOSTADDR", "PGSERVICEFILE", "PGROLE",
		"OTEL_SERVICE_NAME", "OTEL_LOG_LEVEL", "TF_LOG", "TF_LOG_LEVEL", "TF_VAR_app_url", "TF_VAR_APP_URLS",
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "KUBERNETES_SERVICE_HOST", "KUBERNETES_PORT", "AWS_REGION", "AWS_PROFILE",
		"APP_ENV", "APP_KEY", "APP_NAME", "APP_HOME", "APP_ROOT", "APP_DIR", "APP_DEBUG", "APP_ID", "APP_USER", "APP_MODE", "APP_SECRET",
		"API_URL", "API_HOST", "API_PORT", "API_KEY", "API_TOKEN", "WEB_HOST", "WEB_PORT", "RPC_URL", "BASE_URL", "SITE_URL",
		"DB_POOL", "DB_TYPE", "DB_PATH", "DB_FILE", "DB_DRIVER", "DB_CONNECTION", "DB_DATABASE", "DB_ROLE", "DB_SCHEMA", "DB_URL", "DB_USER", "DB_PASS",
		"MAIL_TO", "MAIL_CC", "MAIL_ROOT", "MAIL_MAILER", "MAIL_DRIVER", "MAIL_ENCRYPTION", "MAIL_USERNAME", "MAIL_FROM_NAME", "MAIL_FROM_ADDRESS", "MAIL_CATCHER_URL",
		"MAIL", "MAILCHECK", "MAILPATH", "FRIENDBOT_URL", "LOG_FILE", "LOG_DIR", "LOG_PATH", "REDIS_URL", "REDIS_HOST", "SMTP_HOST", "SMTP_PORT", "SECRET_KEY",
		"GOGC", "GOMAXPROCS", "GOMEMLIMIT", "CHECKPOINT_DISABLE", "HEALTHCARE_CLI",
	} {
		environment = append(environment, name+"=x")
	}
	if got := config.Misspellings(environment); len(got) > 0 {
		t.Errorf("%v", got)
	}
}
