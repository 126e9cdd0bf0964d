package signin

import (
	"net/http"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
)

// The cookies. With __Host- a browser takes them from this host alone, over HTTPS or on loopback,
// and no other host of the domain can set them.
const (
	sessionCookie = "__Host-healthcare-session"
	attemptCookie = "__Host-healthcare-signin"
)

// setCookie sets a cookie that scripts do not see. Without a lifetime it removes it.
func setCookie(w http.ResponseWriter, name, value string, sameSite http.SameSite, lifetime time.Duration) {
	maxAge := int(lifetime.Seconds())
	if lifetime <= 0 {
		value, maxAge = "", -1
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // SameSite is the argument: Strict or Lax.
		Name: name, Value: value, Path: "/", MaxAge: maxAge, Secure: true, HttpOnly: true, SameSite: sameSite,
	})
}

// Forget removes the session's cookie from the browser, after ErrSessionEnded.
func Forget(w http.ResponseWriter) { setCookie(w, sessionCookie, "", http.SameSiteStrictMode, 0) }

// sessionOf is the session of a request's cookie, whether it exists or not; zero: none.
func sessionOf(r *http.Request) access.SessionHash {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return access.SessionHash{}
	}
	hash, _ := access.ParseSession(access.SessionPrefix + cookie.Value)
	return hash
}
