package proxies_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/proxies"
)

func TestTrusted_ClientAddress(t *testing.T) {
	t.Parallel()
	trusted := proxies.Trusted{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("192.0.2.9/32"), netip.MustParsePrefix("2001:db8:1::/64")}
	const client = "203.0.113.5"
	for name, c := range map[string]struct {
		peer    string
		headers []string
		want    string
	}{
		"DirectPeer":               {peer: client + ":4711", want: client},
		"DirectPeerCannotChoose":   {peer: client + ":4711", headers: []string{"198.51.100.1"}, want: client},
		"DirectPeerNamesProxies":   {peer: client + ":4711", headers: []string{"198.51.100.1, 10.0.0.7"}, want: client},
		"DirectPeerIPv6":           {peer: "[2001:db8:2::5]:4711", headers: []string{"198.51.100.1"}, want: "2001:db8:2::5"},
		"DirectPeerWithZone":       {peer: "[fe80::1%eth0]:4711", want: "fe80::1"},
		"DirectPeerMapped":         {peer: "[::ffff:203.0.113.5]:4711", want: client},
		"NoIPNetwork":              {peer: "@", headers: []string{client}, want: "@"},
		"Proxy":                    {peer: "10.0.0.7:80", headers: []string{client}, want: client},
		"ProxyWithoutHeader":       {peer: "10.0.0.7:80", want: "10.0.0.7"},
		"ProxyMapped":              {peer: "[::ffff:10.0.0.7]:80", headers: []string{client}, want: client},
		"ProxyIPv6":                {peer: "[2001:db8:1::7]:80", headers: []string{"2001:db8:2::5"}, want: "2001:db8:2::5"},
		"ClientCannotChoose":       {peer: "10.0.0.7:80", headers: []string{"198.51.100.1, " + client}, want: client},
		"ClientNamesProxies":       {peer: "10.0.0.7:80", headers: []string{"10.0.0.8, 192.0.2.9, " + client}, want: client},
		"ClientSendsOtherHeader":   {peer: "10.0.0.7:80", headers: []string{"198.51.100.1", client}, want: client},
		"ClientSendsMalformed":     {peer: "10.0.0.7:80", headers: []string{"x, ,;, " + client}, want: client},
		"TwoProxies":               {peer: "10.0.0.7:80", headers: []string{"198.51.100.1, " + client + ", 192.0.2.9"}, want: client},
		"TwoProxiesTwoHeaders":     {peer: "10.0.0.7:80", headers: []string{"198.51.100.1, " + client, "192.0.2.9"}, want: client},
		"WithoutSpaces":            {peer: "10.0.0.7:80", headers: []string{"198.51.100.1," + client + ",192.0.2.9"}, want: client},
		"WithTab":                  {peer: "10.0.0.7:80", headers: []string{"198.51.100.1,\t" + client + "\t"}, want: client},
		"WithPort":                 {peer: "10.0.0.7:80", headers: []string{client + ":50000"}, want: client},
		"WithPortIPv6":             {peer: "10.0.0.7:80", headers: []string{"[2001:db8:2::5]:50000"}, want: "2001:db8:2::5"},
		"InBrackets":               {peer: "10.0.0.7:80", headers: []string{"[2001:db8:2::5]"}, want: "2001:db8:2::5"},
		"ProxyWithPort":            {peer: "10.0.0.7:80", headers: []string{client + ", 192.0.2.9:1234"}, want: client},
		"Mapped":                   {peer: "10.0.0.7:80", headers: []string{"::ffff:203.0.113.5"}, want: client},
		"MappedProxy":              {peer: "10.0.0.7:80", headers: []string{client + ", ::ffff:192.0.2.9"}, want: client},
		"ZoneIsDropped":            {peer: "10.0.0.7:80", headers: []string{"fe80::5%" + strings.Repeat("x", 1000)}, want: "fe80::5"},
		"OnlyProxies":              {peer: "10.0.0.7:80", headers: []string{"192.0.2.9, 10.0.0.8"}, want: "192.0.2.9"},
		"Malformed":                {peer: "10.0.0.7:80", headers: []string{client + ", unknown"}, want: "10.0.0.7"},
		"MalformedAfterProxy":      {peer: "10.0.0.7:80", headers: []string{client + ", unknown, 192.0.2.9"}, want: "192.0.2.9"},
		"Hidden":                   {peer: "10.0.0.7:80", headers: []string{"_secret"}, want: "10.0.0.7"},
		"EmptyEntry":               {peer: "10.0.0.7:80", headers: []string{client + ", "}, want: "10.0.0.7"},
		"EmptyHeader":              {peer: "10.0.0.7:80", headers: []string{client, ""}, want: "10.0.0.7"},
		"Unspecified":              {peer: "10.0.0.7:80", headers: []string{"0.0.0.0"}, want: "10.0.0.7"},
		"UnspecifiedIPv6":          {peer: "10.0.0.7:80", headers: []string{"[::]:80"}, want: "10.0.0.7"},
		"BadPort":                  {peer: "10.0.0.7:80", headers: []string{client + ":99999"}, want: "10.0.0.7"},
		"IPv4InBrackets":           {peer: "10.0.0.7:80", headers: []string{"[203.0.113.5]"}, want: "10.0.0.7"},
		"ThousandEntriesOfAClient": {peer: "10.0.0.7:80", headers: []string{strings.Repeat("198.51.100.1, ", 1000) + client}, want: client},
		"ThousandProxies":          {peer: "10.0.0.7:80", headers: []string{client + strings.Repeat(",10.0.0.8", 1000)}, want: "10.0.0.8"},
		"ThousandHeaders":          {peer: "10.0.0.7:80", headers: append([]string{client}, strings.Split(strings.Repeat("10.0.0.8,", 999)+"10.0.0.8", ",")...), want: "10.0.0.8"},
		"LongestChain":             {peer: "10.0.0.7:80", headers: []string{client + strings.Repeat(",10.0.0.8", 31)}, want: client},
		"LongerThanThat":           {peer: "10.0.0.7:80", headers: []string{client + strings.Repeat(",10.0.0.8", 32)}, want: "10.0.0.8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
			for _, header := range c.headers {
				r.Header.Add("X-Forwarded-For", header)
			}
			if got := trusted.ClientAddress(r); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if c.peer != "@" {
				peer := netip.MustParseAddrPort(c.peer).Addr().Unmap().WithZone("").String()
				if got := proxies.Trusted(nil).ClientAddress(r); got != peer {
					t.Errorf("without trusted proxies it is %s, not the peer", got)
				}
			}
		})
	}
}

func FuzzTrusted_ClientAddress(f *testing.F) {
	f.Add("198.51.100.1, 203.0.113.5:80", ", [2001:db8::1]:1")
	f.Add("", "unknown,,")
	trusted := proxies.Trusted{netip.MustParsePrefix("10.0.0.7/32")}
	f.Fuzz(func(t *testing.T, sent, more string) {
		r := &http.Request{RemoteAddr: "10.0.0.7:80", Header: http.Header{"X-Forwarded-For": {sent, more}}}
		if _, err := netip.ParseAddr(trusted.ClientAddress(r)); err != nil {
			t.Error(err)
		}
		// What a client sends does not matter once the proxy has appended the client's address.
		r.Header.Set("X-Forwarded-For", sent+","+more+", 203.0.113.5")
		if got := trusted.ClientAddress(r); got != "203.0.113.5" {
			t.Error(got)
		}
	})
}
