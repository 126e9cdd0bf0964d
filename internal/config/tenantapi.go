package config

import (
	"net/url"
	"strings"
)

// The variables of programs that work through a running tenant-api.
const (
	TenantAPIURL   = "TENANT_API_URL"
	TenantAPIToken = "TENANT_API_TOKEN" //nolint:gosec // the variable's name
)

// TenantAPI is where a tenant-api runs, and who we are to it.
type TenantAPI struct {
	URL   string // Without a slash at its end.
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
		r.addError(TenantAPIURL, "is no base URL; give it as https://tenants.platform.example")
	case u.Scheme == "http" && !Loopback(u.Hostname()):
		r.addError(TenantAPIURL, "begins with http, which would send the token in the clear; that is possible on loopback alone, so give https")
	}
	return a, r.err()
}
