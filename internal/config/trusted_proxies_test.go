package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

func TestReadAPI_TrustedProxies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want, fault string }{
		"NotSet":       {want: "[]"},
		"Addresses":    {in: "10.0.0.7, 2001:db8::7", want: "[10.0.0.7/32 2001:db8::7/128]"},
		"Networks":     {in: "10.0.0.0/24,2001:db8::/64", want: "[10.0.0.0/24 2001:db8::/64]"},
		"IPv4AsIPv6":   {in: "::ffff:10.0.0.7,::ffff:10.0.0.0/120", want: "[10.0.0.7/32 10.0.0.0/24]"},
		"HostBits":     {in: "10.0.0.7/24", fault: `TRUSTED_PROXIES has "10.0.0.7/24", an address with the size of a network; give the address 10.0.0.7 or the network 10.0.0.0/24`},
		"Everything":   {in: "0.0.0.0/0", fault: `TRUSTED_PROXIES has "0.0.0.0/0", which trusts every address, so that each client could choose its own; give the proxies' networks`},
		"AnyWithBits":  {in: "10.0.0.7/0", fault: "trusts every address"},
		"Everything6":  {in: "::/0", fault: "trusts every address"},
		"EverythingAs": {in: "::ffff:0.0.0.0/96", fault: "trusts every address"},
		"MixedBits":    {in: "::ffff:0.0.0.0/95", fault: "is not an IP address or network"},
		"TooManyBits":  {in: "10.0.0.0/33", fault: `TRUSTED_PROXIES has "10.0.0.0/33", which is not an IP address or network; give it as 10.0.0.7, 10.0.0.0/24 or 2001:db8::/64`},
		"Name":         {in: "proxy.internal", fault: `TRUSTED_PROXIES has "proxy.internal", which is not an IP address or network`},
		"Star":         {in: "*", fault: "is not an IP address or network"},
		"Port":         {in: "10.0.0.7:80", fault: "is not an IP address or network"},
		"Zone":         {in: "fe80::1%eth0", fault: "is not an IP address or network"},
		"EmptyItem":    {in: "10.0.0.7,,10.0.0.8", fault: "TRUSTED_PROXIES has an empty item, number 2 of 3; remove the comma, or give it as 10.0.0.7 or 10.0.0.0/24"},
		"TooMany":      {in: strings.Repeat("10.0.0.7,", 100) + "10.0.0.7", fault: "TRUSTED_PROXIES has 101 items; give at most 100"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := config.ReadAPI(sourceOf(map[string]string{"TRUSTED_PROXIES": c.in}))
			wantError(t, err, c.fault)
			if c.fault == "" && fmt.Sprint(got.TrustedProxies) != c.want {
				t.Errorf("%v, want %s", got.TrustedProxies, c.want)
			}
		})
	}
}
