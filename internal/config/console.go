package config

import (
	"slices"
	"strings"
	"time"
)

// The variables of the web console.
const (
	ConsoleSwitch           = "CONSOLE"
	ConsoleURL              = "CONSOLE_URL"
	ConsoleOIDCClientID     = "CONSOLE_OIDC_CLIENT_ID"
	ConsoleOIDCClientSecret = "CONSOLE_OIDC_CLIENT_SECRET" //nolint:gosec // The name of a variable.
	ConsoleOIDCScopes       = "CONSOLE_OIDC_SCOPES"
	ConsoleIdleTimeout      = "CONSOLE_IDLE_TIMEOUT"
	ConsoleSessionTTL       = "CONSOLE_SESSION_TTL"
)

// The bounds of how long a session of the console lasts.
const (
	defaultConsoleIdle = 30 * time.Minute
	defaultConsoleTTL  = 12 * time.Hour
	minConsoleIdle     = 5 * time.Minute // Its use is recorded once a minute.
	maxConsoleTTL      = 7 * 24 * time.Hour
)

// openIDScope is the scope without which an issuer sends no ID token.
const openIDScope = "openid"

const defaultConsoleScopes = openIDScope + " profile"

// maxConsoleScopes is the most bytes of the requested scopes, which are in an address.
const maxConsoleScopes = 1000

// Console has the settings of the web console.
type Console struct {
	Enabled      bool
	URL          string        // Where browsers reach the server: an origin, as browsers send it. Empty: unknown.
	ClientID     string        // Of tenant-api at the issuer. Empty: people sign in with API keys alone.
	ClientSecret Secret        // Empty: a public client.
	Scopes       []string      // What is requested of the issuer.
	IdleTimeout  time.Duration // A session ends after this time without a request.
	SessionTTL   time.Duration // A session ends after this time in any case.
}

// console reads the settings of the console.
func (r *reader) console(issuer string) Console {
	c := Console{
		Enabled:      r.oneOf(ConsoleSwitch, "on", "on", "off") == "on",
		URL:          strings.TrimSuffix(r.text(ConsoleURL, ""), "/"),
		ClientID:     r.text(ConsoleOIDCClientID, ""),
		ClientSecret: Secret(r.value(ConsoleOIDCClientSecret)),
		Scopes:       r.consoleScopes(),
		IdleTimeout:  r.duration(ConsoleIdleTimeout, defaultConsoleIdle),
		SessionTTL:   r.duration(ConsoleSessionTTL, defaultConsoleTTL),
	}
	if c.URL != "" {
		if fault := originError(c.URL); fault != "" {
			r.addError(ConsoleURL, "%s", fault)
		}
	}
	if c.SessionTTL < minConsoleIdle || c.SessionTTL > maxConsoleTTL {
		r.addError(ConsoleSessionTTL, "is %v; give a time from %v to %v", c.SessionTTL, minConsoleIdle, maxConsoleTTL)
	} else if c.IdleTimeout < minConsoleIdle || c.IdleTimeout > c.SessionTTL && r.text(ConsoleIdleTimeout, "") != "" {
		r.addError(ConsoleIdleTimeout, "is %v; give a time from %v to that of %s, %v", c.IdleTimeout, minConsoleIdle, ConsoleSessionTTL, c.SessionTTL)
	}
	r.checkConsoleClient(c, issuer)
	return c
}

// checkConsoleClient checks what sign-in at the issuer needs.
func (r *reader) checkConsoleClient(c Console, issuer string) {
	if c.ClientID == "" {
		if c.ClientSecret != "" {
			r.addError(ConsoleOIDCClientID, "is not set, but %s is; give both, or none", ConsoleOIDCClientSecret)
		}
		return
	}
	if issuer == "" {
		r.addError(OIDCIssuer, "is not set, but %s is; give the issuer at which people sign in, and %s", ConsoleOIDCClientID, OIDCAudience)
	}
	if c.URL == "" {
		r.addError(ConsoleURL, "is not set, but %s is; give the address at which browsers reach the server, as https://tenants.example", ConsoleOIDCClientID)
	}
}

// consoleScopes reads the scopes that are requested of the issuer.
func (r *reader) consoleScopes() []string {
	text := r.text(ConsoleOIDCScopes, defaultConsoleScopes)
	scopes := strings.Fields(text)
	// RFC 6749, 3.3.
	malformed := strings.ContainsFunc(text, func(c rune) bool { return c != ' ' && (c <= ' ' || c >= 0x7f || c == '"' || c == '\\') })
	switch {
	case malformed || len(text) > maxConsoleScopes:
		r.addError(ConsoleOIDCScopes, "has something that is no scope, or more than %d characters; give scopes with spaces in between, as %s", maxConsoleScopes, defaultConsoleScopes)
	case !slices.Contains(scopes, openIDScope):
		r.addError(ConsoleOIDCScopes, "has no %s, without which an issuer does not say who signed in; add it, as in %s", openIDScope, defaultConsoleScopes)
	}
	return scopes
}
