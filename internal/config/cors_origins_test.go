package config_test

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

func TestReadAPI_CORSOrigins(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want, fault string }{
		"NotSet":       {},
		"One":          {in: "https://app.platform.example", want: "https://app.platform.example"},
		"Several":      {in: " https://a.example , https://b.example:8443,https://a.example", want: "https://a.example https://b.example:8443"},
		"Loopback":     {in: "http://127.0.0.1:8080,http://localhost:8080,http://[::1]:8080,https://[2001:db8::1]", want: "http://127.0.0.1:8080 http://localhost:8080 http://[::1]:8080 https://[2001:db8::1]"},
		"Punycode":     {in: "https://xn--rzte-koa.example", want: "https://xn--rzte-koa.example"},
		"Any":          {in: "*", fault: `CORS_ORIGINS has "*", which is a pattern; name each origin, as https://app.platform.example`},
		"AnyAmong":     {in: "https://a.example,*", fault: `CORS_ORIGINS has "*"`},
		"Subdomains":   {in: "https://*.platform.example", fault: `CORS_ORIGINS has "https://*.platform.example", which is a pattern; name each origin`},
		"Path":         {in: "https://a.example/welcome", fault: `CORS_ORIGINS has "https://a.example/welcome", whose origin browsers send as "https://a.example"; give that, without a path`},
		"Slash":        {in: "https://a.example/", fault: `browsers send as "https://a.example"; give that`},
		"Query":        {in: "https://a.example?x", fault: `browsers send as "https://a.example"; give that`},
		"Fragment":     {in: "https://a.example#x", fault: `browsers send as "https://a.example"; give that`},
		"UpperCase":    {in: "https://A.example", fault: `browsers send as "https://a.example"; give that`},
		"DefaultPort":  {in: "https://a.example:443", fault: `browsers send as "https://a.example"; give that`},
		"LongPort":     {in: "https://a.example:0444", fault: `browsers send as "https://a.example:444"; give that`},
		"LongAddress":  {in: "http://[0::1]", fault: `browsers send as "http://[::1]"; give that`},
		"Umlaut":       {in: "https://ärzte.example", fault: `browsers send as "https://xn--rzte-koa.example"; give that`},
		"WithoutTLS":   {in: "http://a.example", fault: `CORS_ORIGINS has "http://a.example", which begins with http, so the network can change that page; use https (http is allowed only on loopback)`},
		"LikeLoopback": {in: "http://localhost.a.example", fault: "use https"},
		"OtherScheme":  {in: "ftp://a.example", fault: `CORS_ORIGINS has "ftp://a.example", which is not an origin`},
		"NoScheme":     {in: "a.example", fault: `CORS_ORIGINS has "a.example", which is not an origin; give scheme and host, as https://app.platform.example`},
		"HostAndPort":  {in: "localhost:8080", fault: "is not an origin"},
		"Null":         {in: "null", fault: `CORS_ORIGINS has "null", which is not an origin`},
		"NoHost":       {in: "https://:443", fault: "host or port does not exist"},
		"BadPort":      {in: "https://a.example:99999", fault: "host or port does not exist"},
		"PortZero":     {in: "https://a.example:0", fault: "host or port does not exist"},
		"BadHost":      {in: "https://a_b.example", fault: "host or port does not exist"},
		"EmptyLabel":   {in: "https://a..example", fault: "host or port does not exist"},
		"NumberAtEnd":  {in: "https://127.1", fault: "host or port does not exist"},
		"HexAtEnd":     {in: "https://a.0x7f", fault: "host or port does not exist"},
		"Zone":         {in: "https://[fe80::1%25eth0]", fault: "host or port does not exist"},
		"Space":        {in: "https://a.example https://b.example", fault: "is not an origin"},
		"EmptyItem":    {in: "https://a.example,,https://b.example", fault: "CORS_ORIGINS has an empty item, number 2 of 3; remove the comma, or give it as https://app.platform.example"},
		"CommaAtEnd":   {in: "https://a.example,", fault: "CORS_ORIGINS has an empty item, number 2 of 2"},
		"OnlyComma":    {in: ",", fault: "CORS_ORIGINS has an empty item"},
		"TooMany":      {in: strings.Repeat("https://a.example,", 100) + "https://a.example", fault: "CORS_ORIGINS has 101 items; give at most 100"},
		"User":         {in: "https://ada:s3cret@a.example", fault: "CORS_ORIGINS has an item with a user in it; give the origin alone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := config.ReadAPI(sourceOf(map[string]string{"CORS_ORIGINS": c.in}))
			wantError(t, err, c.fault)
			if c.fault == "" && strings.Join(got.CORSOrigins, " ") != c.want {
				t.Errorf("%q, want %q", got.CORSOrigins, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("it shows the password: %v", err)
			}
		})
	}
}
