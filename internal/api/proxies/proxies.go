// Package proxies finds the address of a client behind reverse proxies. It is the only reader of
// X-Forwarded-For, so that limits, the audit log and the program's log have the same address.
//
// A proxy appends the address that it was reached from. So entries are read from the right, and
// only as long as each was written by a trusted proxy: what a client sends itself is left of that,
// and is never read.
package proxies

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// maxEntries is the most entries of X-Forwarded-For that are read. Chains of proxies are shorter.
const maxEntries = 32

// Trusted are the networks of proxies whose X-Forwarded-For is used. IPv4 is never in the form of
// IPv6.
type Trusted []netip.Prefix

// ClientAddress returns the address of a request's client: of the connection, or, if that is a
// trusted proxy, the right-most address of X-Forwarded-For that is not one. A malformed entry, and
// the limit of entries, end the search; then it is the last trusted proxy that was found.
func (t Trusted) ClientAddress(r *http.Request) string {
	client, ok := parseAddress(r.RemoteAddr)
	if !ok {
		return r.RemoteAddr // Not of an IP network.
	}
	read := 0
	// A proxy may append to the last header, or add another one.
	for _, header := range slices.Backward(r.Header.Values("X-Forwarded-For")) {
		for more := true; more; read++ {
			if read == maxEntries || !t.contains(client) {
				return client.String()
			}
			var entry string
			header, entry, more = cutLast(header)
			next, ok := parseAddress(strings.Trim(entry, " \t"))
			if !ok {
				return client.String()
			}
			client = next
		}
	}
	return client.String()
}

func (t Trusted) contains(address netip.Addr) bool {
	return slices.ContainsFunc(t, func(p netip.Prefix) bool { return p.Contains(address) })
}

// cutLast cuts the last entry off a header, and returns whether there are more before it.
func cutLast(header string) (before, entry string, more bool) {
	i := strings.LastIndexByte(header, ',')
	if i < 0 {
		return "", header, false
	}
	return header[:i], header[i+1:], true
}

// parseAddress reads an address, also with a port or in brackets. IPv4 in the form of IPv6 becomes
// IPv4, and zones are dropped: a client would be counted twice, or as often as it invents zones.
func parseAddress(text string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(text)
	if err != nil {
		var withPort netip.AddrPort
		if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
			text += ":0"
		}
		withPort, err = netip.ParseAddrPort(text)
		address = withPort.Addr()
	}
	address = address.WithZone("").Unmap()
	return address, err == nil && !address.IsUnspecified()
}
