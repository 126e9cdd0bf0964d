package signin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"
)

const (
	attemptTTL        = 10 * time.Minute // To sign in at the issuer.
	maxAttempts       = 5                // Tabs of a browser in which a sign-in was begun. A cookie has at most 4 KiB.
	maxAttemptsCookie = 4096
	attemptSeed       = 32 // Bytes.
)

// attempt is a sign-in at the issuer that a browser began. It is in a cookie of that browser alone, so
// only there can it be finished: an answer that another person got, or a link with it, is of no use.
type attempt struct {
	Seed     []byte `json:"s"`
	BegunAt  int64  `json:"t"` // Unix time.
	ReturnTo string `json:"r"`
}

func newAttempt(returnTo string, now time.Time) attempt {
	a := attempt{Seed: make([]byte, attemptSeed), BegunAt: now.Unix(), ReturnTo: returnTo}
	_, _ = rand.Read(a.Seed) // Documented never to return an error.
	return a
}

// The values that the issuer gets are made from the seed, so that the cookie is short. Neither says
// anything about the others.
func (a attempt) state() string    { return a.derive("state") }
func (a attempt) nonce() string    { return a.derive("nonce") }
func (a attempt) verifier() string { return a.derive("verifier") }

func (a attempt) derive(purpose string) string {
	h := hmac.New(sha256.New, a.Seed)
	_, _ = h.Write([]byte(purpose)) // Documented never to return an error.
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// attempts reads the attempts that a browser began and can still finish, newest first.
func (m *Manager) attempts(r *http.Request) (open []attempt) {
	cookie, err := r.Cookie(attemptCookie)
	if err != nil || len(cookie.Value) > maxAttemptsCookie {
		return nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	var all []attempt
	if err != nil || json.Unmarshal(text, &all) != nil {
		return nil
	}
	now := m.opts.Clock.Now()
	for _, a := range all {
		if age := now.Sub(time.Unix(a.BegunAt, 0)); len(a.Seed) == attemptSeed && age < attemptTTL && age > -attemptTTL {
			open = append(open, a)
		}
	}
	return open
}

// writeAttempts sets the cookie with the newest attempts. Without any it removes it.
func writeAttempts(w http.ResponseWriter, all []attempt) {
	lifetime := attemptTTL
	if len(all) == 0 {
		lifetime = 0
	}
	text, _ := json.Marshal(all[:min(len(all), maxAttempts)]) //nolint:errchkjson // Plain values.
	setCookie(w, attemptCookie, base64.RawURLEncoding.EncodeToString(text), http.SameSiteLaxMode, lifetime)
}

// find returns the attempt of a state, and the others.
func find(all []attempt, state string) (wanted attempt, others []attempt, found bool) {
	for _, a := range all {
		if !found && subtle.ConstantTimeCompare([]byte(a.state()), []byte(state)) == 1 {
			wanted, found = a, true
		} else {
			others = append(others, a)
		}
	}
	return wanted, others, found
}
