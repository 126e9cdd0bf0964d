package config

import (
	"net/url"
	"strings"
)

// The variables of programs that manage tenants through a running tenant-api.
const (
	TenantAPIURL   = "TENANT_API_URL"
	TenantAPIToken = "TENANT_API_TOKEN" //nolint:gosec // the variable's name
)

// TenantAPI has the address of a tenant-api and the token for it.
type TenantAPI struct {
	URL   string // Without a trailing slash.
	Token Secret
}

// ReadTenantAPI reads the settings of a client of tenant-api.
func ReadTenantAPI(source Source) (TenantAPI, error) {
	r := &reader{get: source}
	a := TenantAPI{
		URL:   strings.TrimRight(r.required(TenantAPIURL, "give the base address of tenant-api, as https://tenants.platform.example"), "/"),
		Token: Secret(r.required(TenantAPIToken, "give an API key; tenant-api apikey create makes one")),
	}
	u, err := url.Parse(a.URL)
	switch {
	case a.URL == "":
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		r.addError(TenantAPIURL, "is not a base URL; give it as https://tenants.platform.example")
	case u.Scheme == "http" && !Loopback(u.Hostname()):
		r.addError(TenantAPIURL, "begins with http, which would send the token unencrypted; use https (http is allowed only on loopback)")
	}
	return a, r.err()
}
