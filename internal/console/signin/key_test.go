package signin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
)

func TestManager_WithKey(t *testing.T) {
	t.Parallel()
	t.Run("SignsInAndOut", func(t *testing.T) {
		s := setup(t)
		b := s.browser()
		b.get("/console").wantProblem(http.StatusUnauthorized, "not signed in")
		key := s.key("ops", access.ScopeRead)
		got := b.post("/console/key", "key", " "+key+"\n").want(http.StatusOK)
		cookie := got.header.Get("Set-Cookie")
		for _, attribute := range []string{sessionCookie + "=", "Path=/", "Max-Age=43200", "HttpOnly", "Secure", "SameSite=Strict"} {
			if !strings.Contains(cookie, attribute) {
				t.Errorf("no %s in %s", attribute, cookie)
			}
		}
		if strings.Contains(cookie, "Domain") {
			t.Error(cookie)
		}
		signedIn := b.get("/console").want(http.StatusOK)
		if id, _ := signedIn.json["id"].(string); signedIn.json["kind"] != "apikey" || signedIn.json["name"] != "ops" || len(id) != 12 || !strings.Contains(key, id) {
			t.Errorf("%s", signedIn.text)
		}
		if s.registry.KeysUsedWithin(time.Minute) != 1 {
			t.Error("the use of the key was not recorded")
		}
		out := b.post("/console/out").want(http.StatusOK)
		if cookie := out.header.Get("Set-Cookie"); !strings.Contains(cookie, "Max-Age=0") || b.cookie(sessionCookie) != "" {
			t.Error(cookie)
		}
		b.get("/console").wantProblem(http.StatusUnauthorized, "not signed in")
		b.post("/console/out").want(http.StatusOK)
		s.wantEvents("sign_in DONE apikey ops", "sign_out DONE apikey ops")
		if n := s.registry.Sessions(); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
	t.Run("TokenIsNewAtEachSignIn", func(t *testing.T) {
		s := setup(t)
		b, key := s.browser(), s.key("ops", access.ScopeRead)
		planted := strings.TrimPrefix(access.NewSessionToken().Reveal(), access.SessionPrefix)
		b.setCookie(sessionCookie, planted)
		b.post("/console/key", "key", key).want(http.StatusOK)
		first := b.cookie(sessionCookie)
		b.post("/console/key", "key", key).want(http.StatusOK)
		second := b.cookie(sessionCookie)
		if first == planted || second == first || len(second) != 43 {
			t.Error("a token was used again")
		}
		if n := s.registry.Sessions(); n != 1 {
			t.Errorf("%d sessions: the first one was not ended", n)
		}
		old := s.browser()
		old.setCookie(sessionCookie, first)
		old.get("/console").wantProblem(http.StatusUnauthorized, "ended or timed out")
	})
	t.Run("RefusesWhatIsNoUsableKey", func(t *testing.T) {
		s := setup(t)
		b := s.browser()
		revoked, expired, session := s.key("revoked", access.ScopeRead), s.key("expired", access.ScopeRead), access.NewSessionToken().Reveal()
		s.registry.RevokeKey("revoked")
		s.registry.ExpireKey("expired")
		for _, c := range []struct{ key, detail string }{
			{"", "unknown or mistyped"}, {"hck_x", "unknown or mistyped"}, {session, "unknown or mistyped"}, {strings.Repeat("hck_", 1000), "unknown or mistyped"},
			{revoked, "was revoked"}, {expired, "has expired"},
		} {
			b.post("/console/key", "key", c.key).wantProblem(http.StatusUnauthorized, c.detail)
		}
		if b.cookie(sessionCookie) != "" || s.registry.Sessions() != 0 {
			t.Error("there is a session")
		}
		malformed := "sign_in REJECTED anonymous  malformed"
		s.wantEvents(malformed, malformed, malformed, malformed, "sign_in REJECTED anonymous  revoked", "sign_in REJECTED anonymous  expired")
	})
	t.Run("RefusesFormsOfOtherSites", func(t *testing.T) {
		s := setup(t)
		b := s.browser()
		b.headers["Sec-Fetch-Site"] = "cross-site"
		b.post("/console/key", "key", s.key("ops", access.ScopeRead)).wantProblem(http.StatusUnauthorized, "another site")
		s.wantEvents("sign_in REJECTED anonymous  another site")
	})
	t.Run("LimitsRejectionsOfAnAddress", func(t *testing.T) {
		s := setup(t, stopClock, func(o *options) { o.maxRejections = 3 })
		b, key := s.browser(), s.key("ops", access.ScopeRead)
		for range 3 {
			b.post("/console/key", "key", "hck_x").want(http.StatusUnauthorized)
		}
		for range 3 {
			b.post("/console/key", "key", "hck_x").wantProblem(http.StatusTooManyRequests, "came from this address")
		}
		malformed := "sign_in REJECTED anonymous  malformed"
		s.wantEvents(malformed, malformed, malformed, "sign_in REJECTED anonymous  too many requests")
		// A valid key still signs in, and the session is known at once.
		b.post("/console/key", "key", key).want(http.StatusOK)
		b.wantName("ops")
	})
	t.Run("LimitsSignInsOfAKey", func(t *testing.T) {
		s := setup(t, stopClock)
		key := s.key("ops", access.ScopeRead)
		for range 30 {
			s.browser().post("/console/key", "key", key).want(http.StatusOK)
		}
		s.browser().post("/console/key", "key", key).wantProblem(http.StatusTooManyRequests, "too many sign-ins")
		s.browser().post("/console/key", "key", s.key("other", access.ScopeRead)).want(http.StatusOK)
	})
}

func TestManager_Current(t *testing.T) {
	t.Parallel()
	signedIn := func(t *testing.T, change ...func(*options)) (*site, *browser) {
		t.Helper()
		s := setup(t, change...)
		b := s.browser()
		b.post("/console/key", "key", s.key("ops", access.ScopeRead)).want(http.StatusOK)
		b.wantName("ops")
		return s, b
	}
	for name, end := range map[string]func(s *site){
		"KeyRevoked": func(s *site) { s.registry.RevokeKey("ops") },
		"KeyExpired": func(s *site) { s.registry.ExpireKey("ops") },
		"Idle":       func(s *site) { s.registry.AgeSessions(30*time.Minute, 0) },
		"Expired":    func(s *site) { s.registry.AgeSessions(0, 12*time.Hour) },
	} {
		t.Run("EndsWhen"+name, func(t *testing.T) {
			s, b := signedIn(t)
			end(s)
			b.get("/console").wantProblem(http.StatusUnauthorized, "ended or timed out")
			s.wantEvents("sign_in DONE apikey ops", "use_session REJECTED anonymous  ended session")
			b.post("/console/out").want(http.StatusOK)
			if b.cookie(sessionCookie) != "" {
				t.Error("the cookie stayed")
			}
		})
	}
	t.Run("StaysBeforeThat", func(t *testing.T) {
		s, b := signedIn(t)
		s.registry.AgeSessions(29*time.Minute, 11*time.Hour)
		b.wantName("ops")
		s.registry.AgeSessions(29*time.Minute, 0) // Since it was used again.
		b.wantName("ops")
	})
	t.Run("OfAnotherRegistryIsRefused", func(t *testing.T) {
		_, b := signedIn(t)
		c := open(t).browser()
		c.setCookie(sessionCookie, b.cookie(sessionCookie))
		c.get("/console").wantProblem(http.StatusUnauthorized, "ended or timed out")
	})
	t.Run("NarrowedKeyCountsAtOnce", func(t *testing.T) {
		s, b := signedIn(t)
		s.registry.SetScopes(access.ScopePurge)
		if got := b.get("/console").want(http.StatusOK); !strings.Contains(got.text, `["tenants:purge"]`) {
			t.Error(got.text)
		}
	})
	t.Run("RegistryAway", func(t *testing.T) {
		s, b := signedIn(t)
		s.registry.HideAPIKeys()
		got := b.get("/console")
		if got.status < 500 {
			t.Errorf("%d: %s", got.status, got.text)
		}
		if got := b.post("/console/out"); got.status < 500 || b.cookie(sessionCookie) == "" {
			t.Errorf("%d: %s", got.status, got.text)
		}
	})
	t.Run("FloodOfRandomCookiesCostsOneReadPerSnapshotAge", func(t *testing.T) {
		var store *countingSessions
		s, b := signedIn(t, func(o *options) { o.maxRejections = 3; store = countSessions(o) })
		flood := s.browser()
		store.reset()
		for range 20 {
			flood.setCookie(sessionCookie, strings.TrimPrefix(access.NewSessionToken().Reveal(), access.SessionPrefix))
			flood.get("/console").want(http.StatusUnauthorized)
		}
		if store.finds.Load() != 3 || store.lists.Load() != 1 {
			t.Errorf("%d lookups, %d lists", store.finds.Load(), store.lists.Load())
		}
		b.wantName("ops")
		for range 5 { // Malformed ones cost nothing.
			flood.setCookie(sessionCookie, "short")
			flood.get("/console").want(http.StatusUnauthorized)
		}
		if store.finds.Load() != 4 || store.lists.Load() != 1 {
			t.Errorf("%d lookups, %d lists", store.finds.Load(), store.lists.Load())
		}
		if n := len(s.events()); n != 1+3+1 {
			t.Errorf("%d events", n)
		}
	})
	t.Run("OutsideOfTheConsoleItIsNoKey", func(t *testing.T) {
		var store *countingSessions
		s, b := signedIn(t, func(o *options) { store = countSessions(o) })
		token, _ := b.get("/console").json["token"].(string)
		store.reset()
		if _, err := s.auth.Authenticate(t.Context(), token); err == nil || store.finds.Load() != 0 {
			t.Errorf("%v after %d lookups", err, store.finds.Load())
		}
		if id, err := s.auth.Authenticate(auth.InConsole(t.Context()), token); err != nil || !id.Session || id.RateLimit != access.SessionRateLimit || id.Caller.Name != "ops" {
			t.Errorf("%+v, %v", id, err)
		}
	})
}

func TestManager_SignOutEverywhere(t *testing.T) {
	s := setup(t)
	key := s.key("ops", access.ScopeRead)
	one, two, other := s.browser(), s.browser(), s.browser()
	one.post("/console/key", "key", key).want(http.StatusOK)
	two.post("/console/key", "key", key).want(http.StatusOK)
	other.post("/console/key", "key", s.key("other", access.ScopeRead)).want(http.StatusOK)
	one.post("/console/out-everywhere").want(http.StatusOK)
	one.wantName("")
	two.wantName("")
	other.wantName("other")
	s.wantEvents("sign_in DONE apikey ops", "sign_in DONE apikey ops", "sign_in DONE apikey other", "sign_out_everywhere DONE apikey ops", "use_session REJECTED anonymous  ended session")
}
