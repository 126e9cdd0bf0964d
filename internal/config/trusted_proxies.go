package config

import "net/netip"

// TrustedProxies is the variable with the proxies whose X-Forwarded-For is used.
const TrustedProxies = "TRUSTED_PROXIES"

// trustedProxies reads addresses and networks of proxies.
func (r *reader) trustedProxies() (proxies []netip.Prefix) {
	for _, item := range r.items(TrustedProxies, "10.0.0.7 or 10.0.0.0/24") {
		prefix, ok := parseNetwork(item)
		switch {
		case !ok:
			r.addError(TrustedProxies, "has %q, which is not an IP address or network; give it as 10.0.0.7, 10.0.0.0/24 or 2001:db8::/64", item)
		case prefix.Bits() == 0:
			r.addError(TrustedProxies, "has %q, which trusts every address, so that each client could choose its own; give the proxies' networks", item)
		case prefix != prefix.Masked():
			r.addError(TrustedProxies, "has %q, an address with the size of a network; give the address %s or the network %s", item, prefix.Addr(), prefix.Masked())
		default:
			proxies = append(proxies, prefix)
		}
	}
	return proxies
}

// parseNetwork returns the network of an address or network. IPv4 in the form of IPv6 is IPv4.
func parseNetwork(text string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), addr.Zone() == ""
	}
	prefix, err := netip.ParsePrefix(text)
	if err == nil && prefix.Addr().Is4In6() {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	return prefix, err == nil && prefix.IsValid()
}
