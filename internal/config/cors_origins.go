package config

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// CORSOrigins is the variable with the origins whose pages may call tenant-api.
const CORSOrigins = "CORS_ORIGINS"

const originExample = "https://app.platform.example"

// corsOrigins reads origins as browsers send them.
func (r *reader) corsOrigins() (origins []string) {
	for _, item := range r.items(CORSOrigins, originExample) {
		if fault := originError(item); fault != "" {
			r.addError(CORSOrigins, "%s", fault)
		} else if !slices.Contains(origins, item) {
			origins = append(origins, item)
		}
	}
	return origins
}

// originError returns the fault of an origin and the remedy. A browser's Origin is compared byte
// by byte, so an origin in another form would never be allowed, and nothing would say why.
func originError(item string) string {
	quoted := strconv.Quote(item)
	if strings.Contains(item, "@") { // Before it may be a password.
		return "has an item with a user in it; give the origin alone, as " + originExample
	}
	if strings.Contains(item, "*") {
		return "has " + quoted + ", which is a pattern; name each origin, as " + originExample
	}
	u, err := url.Parse(item)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "has " + quoted + ", which is not an origin; give scheme and host, as " + originExample
	}
	host, ok := browserHost(u.Hostname())
	port, portErr := strconv.ParseUint(u.Port(), 10, 16)
	if !ok || u.Port() != "" && (portErr != nil || port == 0) {
		return "has " + quoted + ", whose host or port does not exist; give it as " + originExample
	}
	if u.Scheme == "http" && !Loopback(host) {
		return "has " + quoted + ", which begins with http, so the network can change that page; use https (http is allowed only on loopback)"
	}
	origin := u.Scheme + "://" + host
	if u.Port() != "" && u.Scheme+u.Port() != "http80" && u.Scheme+u.Port() != "https443" {
		origin += ":" + strconv.FormatUint(port, 10)
	}
	if item != origin {
		return "has " + quoted + ", whose origin browsers send as " + strconv.Quote(origin) + "; give that, without a path"
	}
	return ""
}

// browserHost returns a host as browsers write it, in lower case and Punycode, and whether it is
// one.
func browserHost(host string) (string, bool) {
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Is6() {
			return "[" + addr.String() + "]", addr.Zone() == "" && !addr.Is4In6()
		}
		return addr.String(), true
	}
	name, err := idna.Lookup.ToASCII(host)
	if err != nil || name == "" {
		return "", false
	}
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	last := labels[len(labels)-1]
	// Browsers read a name that ends with a number as an IPv4 address.
	return name, !slices.Contains(labels, "") && strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x")
}
