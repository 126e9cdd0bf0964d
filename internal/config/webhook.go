package config

import (
	"net/netip"
	"slices"
	"strings"
)

// WebhookAllow is the variable with the hosts and networks of blueprints' own steps that are not
// public.
const WebhookAllow = "WEBHOOK_ALLOW"

// secretVariablePrefix begins the names of the variables with the secrets of own steps. A blueprint
// names its variables; it can read no other one.
const secretVariablePrefix = "BLUEPRINT_SECRET_"

// Webhook are the settings of the requests of blueprints' own steps.
type Webhook struct {
	Allow  Hosts                                 // May have addresses that are not public.
	Secret func(variable string) (Secret, error) // Reads a secret of a step; "": not set. The error is a ValidationError.
}

// Hosts are names and networks.
type Hosts struct {
	Names    []string // In lower case.
	Networks []netip.Prefix
}

// Named reports whether a host is named.
func (h Hosts) Named(host string) bool { return slices.Contains(h.Names, strings.ToLower(host)) }

// maxAllowed is the most entries of WebhookAllow.
const maxAllowed = 100

// ReadWebhook reads the settings of own steps.
func ReadWebhook(source Source) (Webhook, error) {
	r := &reader{get: source}
	w := Webhook{Secret: func(variable string) (Secret, error) {
		if !strings.HasPrefix(variable, secretVariablePrefix) {
			return "", nil
		}
		r := &reader{get: source}
		secret := r.text(variable, "")
		return Secret(secret), r.err()
	}}
	entries := strings.FieldsFunc(r.text(WebhookAllow, ""), func(c rune) bool { return c == ',' || c == ' ' })
	if len(entries) > maxAllowed {
		r.addError(WebhookAllow, "has %d entries; give at most %d, such as networks", len(entries), maxAllowed)
		return w, r.err()
	}
	for _, entry := range entries {
		if p, err := netip.ParsePrefix(entry); err == nil {
			w.Allow.Networks = append(w.Allow.Networks, p.Masked())
		} else if a, err := netip.ParseAddr(entry); err == nil {
			w.Allow.Networks = append(w.Allow.Networks, netip.PrefixFrom(a, a.BitLen()))
		} else if strings.ContainsAny(entry, "/:@*[]") {
			r.addError(WebhookAllow, "has %q; give host names, addresses and networks, as directory.internal,10.20.0.0/16", entry)
		} else {
			w.Allow.Names = append(w.Allow.Names, strings.ToLower(entry))
		}
	}
	return w, r.err()
}
