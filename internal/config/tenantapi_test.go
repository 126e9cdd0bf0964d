package config_test

import (
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

func TestReadTenantAPI(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ url, token, fault string }{
		"TLS":          {url: "https://tenants.example/", token: "s3cret"},
		"OnLoopback":   {url: "http://127.0.0.1:3000", token: "s3cret"},
		"WithoutTLS":   {url: "http://tenants.example", token: "s3cret", fault: "TENANT_API_URL begins with http, which would send the token unencrypted"},
		"NoURL":        {token: "s3cret", fault: "TENANT_API_URL is not set"},
		"NoToken":      {url: "https://tenants.example", fault: "TENANT_API_TOKEN is not set"},
		"NoScheme":     {url: "tenants.example", token: "s3cret", fault: "TENANT_API_URL is not a base URL"},
		"WithPassword": {url: "https://u:s3cret@tenants.example", token: "s3cret", fault: "TENANT_API_URL is not a base URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := config.ReadTenantAPI(sourceOf(map[string]string{"TENANT_API_URL": c.url, "TENANT_API_TOKEN": c.token}))
			wantError(t, err, c.fault)
			if c.fault == "" && (got.Token.Reveal() != c.token || got.URL == "" || got.URL[len(got.URL)-1] == '/') {
				t.Errorf("%+v", got)
			}
		})
	}
}
