package signin_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/oidctest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/console/signin"
)

// setupIssuer is a site whose people sign in at an issuer.
func setupIssuer(t *testing.T, change ...func(*options)) (*site, *oidctest.Issuer) {
	t.Helper()
	p := oidctest.New(t)
	s := setup(t, append([]func(*options){func(o *options) {
		o.oidc = auth.OIDC{Issuer: p.URL, Audience: "tenant-api"}
		o.OIDC.ClientID, o.OIDC.ClientSecret, o.OIDC.Scopes = "console", config.Secret("s3cret"), []string{"openid", "profile"}
	}}, change...)...)
	p.SetClient(oidctest.Client{ID: "console", Secret: "s3cret", RedirectURL: s.server.URL + signin.CallbackPath, Scope: "openid profile"})
	return s, p
}

// begin begins a sign-in and returns the address at the issuer.
func (b *browser) begin(to string) string {
	b.s.t.Helper()
	return b.get("/console/begin?to=" + url.QueryEscape(to)).want(http.StatusSeeOther).header.Get("Location")
}

// callback goes to the issuer and returns the address that it sends the browser back to.
func (b *browser) callback(issuer string) string {
	b.s.t.Helper()
	return b.get(issuer).want(http.StatusFound).header.Get("Location")
}

// signIn signs in at the issuer.
func (b *browser) signIn(to string) page {
	b.s.t.Helper()
	return b.get(b.callback(b.begin(to)))
}

func TestManager_Finish(t *testing.T) {
	t.Parallel()
	t.Run("SignsIn", func(t *testing.T) {
		s, _ := setupIssuer(t)
		b := s.browser()
		address := b.begin("/console/tenants?status=FAILED")
		if b.cookie(attemptCookie) == "" || strings.Contains(address, "s3cret") {
			t.Errorf("%s", address)
		}
		got := b.get(b.callback(address)).want(http.StatusOK)
		if got.json["to"] != "/console/tenants?status=FAILED" {
			t.Errorf("%s", got.text)
		}
		if cookies := strings.Join(got.header.Values("Set-Cookie"), "\n"); !strings.Contains(cookies, sessionCookie+"=") || !strings.Contains(cookies, "SameSite=Strict") || b.cookie(attemptCookie) != "" {
			t.Error(cookies)
		}
		me := b.get("/console").want(http.StatusOK)
		if me.json["kind"] != "oidc" || me.json["id"] != "ada" || me.json["name"] != "Ada Lovelace" || !strings.Contains(me.text, `"scopes":["tenants:read"]`) {
			t.Errorf("%s", me.text)
		}
		b.post("/console/out").want(http.StatusOK)
		b.wantName("")
		s.wantEvents("sign_in DONE oidc Ada Lovelace", "sign_out DONE oidc Ada Lovelace")
	})
	t.Run("AttemptCookieIsForTenMinutes", func(t *testing.T) {
		s, _ := setupIssuer(t)
		cookie := s.browser().get("/console/begin").want(http.StatusSeeOther).header.Get("Set-Cookie")
		for _, attribute := range []string{attemptCookie + "=", "Path=/", "Max-Age=600", "HttpOnly", "Secure", "SameSite=Lax"} {
			if !strings.Contains(cookie, attribute) {
				t.Errorf("no %s in %s", attribute, cookie)
			}
		}
	})
	t.Run("PublicClient", func(t *testing.T) {
		s, p := setupIssuer(t, func(o *options) { o.OIDC.ClientSecret = "" })
		p.SetClient(oidctest.Client{ID: "console", RedirectURL: s.server.URL + signin.CallbackPath, Scope: "openid profile"})
		b := s.browser()
		b.signIn("").want(http.StatusOK)
		b.wantName("Ada Lovelace")
	})
	t.Run("SignsOutEverywhere", func(t *testing.T) {
		s, p := setupIssuer(t)
		one, two, bob := s.browser(), s.browser(), s.browser()
		one.signIn("").want(http.StatusOK)
		two.signIn("").want(http.StatusOK)
		p.Lie(func(id, access map[string]any) { id["sub"], access["sub"], id["name"] = "bob", "bob", "Bob" })
		bob.signIn("").want(http.StatusOK)
		one.post("/console/out-everywhere").want(http.StatusOK)
		two.wantName("")
		bob.wantName("Bob")
	})
	t.Run("SeveralTabs", func(t *testing.T) {
		s, _ := setupIssuer(t)
		b := s.browser()
		var tabs []string
		for _, to := range []string{"/console/0", "/console/1", "/console/2", "/console/3", "/console/4", "/console/5"} {
			tabs = append(tabs, b.callback(b.begin(to)))
		}
		for _, i := range []int{2, 5} {
			if got := b.get(tabs[i]).want(http.StatusOK); got.json["to"] != "/console/"+string(rune('0'+i)) {
				t.Errorf("tab %d: %s", i, got.text)
			}
		}
		b.get(tabs[0]).wantProblem(http.StatusUnauthorized, "was not begun in this browser") // More than five.
		b.get(tabs[2]).wantProblem(http.StatusUnauthorized, "was not begun in this browser") // Used.
		b.get(tabs[1]).want(http.StatusOK)
	})
	t.Run("WithoutIssuerThereIsNone", func(t *testing.T) {
		s := setup(t)
		if s.manager.OIDC() {
			t.Error("OIDC without an issuer")
		}
		s.browser().get("/console/begin").wantProblem(http.StatusNotFound, "no sign-in at an issuer")
	})
}

// TestManager_FinishRefuses: answers that are not for this sign-in, or are no tokens for the API.
func TestManager_FinishRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lie    func(id, access map[string]any)
		detail string
		reason string
	}{
		"Nonce":          {func(id, _ map[string]any) { id["nonce"] = strings.Repeat("n", 43) }, "not for this sign-in", "anonymous  ID token: other nonce"},
		"NoNonce":        {func(id, _ map[string]any) { delete(id, "nonce") }, "not for this sign-in", "anonymous  ID token: other nonce"},
		"Audience":       {func(id, _ map[string]any) { id["aud"] = "other" }, "not for this sign-in", "anonymous  ID token: invalid token"},
		"OtherParty":     {func(id, _ map[string]any) { id["aud"], id["azp"] = []string{"console", "other"}, "other" }, "not for this sign-in", "anonymous  ID token: other party"},
		"Issuer":         {func(id, _ map[string]any) { id["iss"] = "https://evil.example" }, "not for this sign-in", "anonymous  ID token: invalid token"},
		"Expired":        {func(id, _ map[string]any) { id["exp"] = time.Now().Add(-time.Minute).Unix() }, "not for this sign-in", "anonymous  ID token: expired token"},
		"AccessToken":    {func(id, _ map[string]any) { id["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" }, "not for this sign-in", "anonymous  ID token: other access token"},
		"TokenAudience":  {func(_, access map[string]any) { access["aud"] = "console" }, "AUTH_OIDC_AUDIENCE", "oidc Ada Lovelace access token: invalid token"},
		"TokenExpired":   {func(_, access map[string]any) { access["exp"] = time.Now().Add(-time.Minute).Unix() }, "AUTH_OIDC_AUDIENCE", "oidc Ada Lovelace access token: expired token"},
		"WithoutScopes":  {func(_, access map[string]any) { access["scope"] = "openid profile" }, "none of this API's scopes", "oidc Ada Lovelace no scopes"},
		"LongSubject":    {func(_, access map[string]any) { access["sub"] = strings.Repeat("s", 256) }, "longer than 255", "oidc Ada Lovelace subject too long"},
		"ControlSubject": {func(_, access map[string]any) { access["sub"] = "a\x00" }, "AUTH_OIDC_AUDIENCE", "oidc Ada Lovelace access token: token without a readable subject"},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := setupIssuer(t)
			p.Lie(c.lie)
			b := s.browser()
			b.signIn("").wantProblem(http.StatusUnauthorized, c.detail)
			b.wantName("")
			s.wantEvents("sign_in REJECTED " + c.reason)
			if n := s.registry.Sessions(); n != 0 {
				t.Errorf("%d sessions", n)
			}
			p.Lie(nil)
			b.signIn("").want(http.StatusOK)
			b.wantName("Ada Lovelace")
		})
	}
	t.Run("StateOfAnotherBrowser", func(t *testing.T) {
		s, _ := setupIssuer(t)
		one, other := s.browser(), s.browser()
		link := one.callback(one.begin(""))
		other.get(link).wantProblem(http.StatusUnauthorized, "was not begun in this browser")
		other.begin("")
		other.get(link).wantProblem(http.StatusUnauthorized, "was not begun in this browser")
		other.wantName("")
	})
	t.Run("CodeOfAnotherBrowser", func(t *testing.T) {
		s, _ := setupIssuer(t)
		one, other := s.browser(), s.browser()
		stolen, err := url.Parse(one.callback(one.begin("")))
		if err != nil {
			t.Fatal(err)
		}
		own, err := url.Parse(other.begin(""))
		if err != nil {
			t.Fatal(err)
		}
		q := url.Values{"code": {stolen.Query().Get("code")}, "state": {own.Query().Get("state")}}
		other.get(signin.CallbackPath+"?"+q.Encode()).wantProblem(http.StatusUnauthorized, "does not accept this sign-in any more")
	})
	t.Run("ReplayedCode", func(t *testing.T) {
		s, _ := setupIssuer(t)
		b := s.browser()
		link := b.callback(b.begin(""))
		kept := b.cookie(attemptCookie)
		b.get(link).want(http.StatusOK)
		b.get(link).wantProblem(http.StatusUnauthorized, "was not begun in this browser")
		thief := s.browser()
		thief.setCookie(attemptCookie, kept)
		thief.get(link).wantProblem(http.StatusUnauthorized, "does not accept this sign-in any more")
		thief.wantName("")
	})
	t.Run("RefusalOfTheIssuer", func(t *testing.T) {
		s, _ := setupIssuer(t)
		b := s.browser()
		issuer, err := url.Parse(b.begin(""))
		if err != nil {
			t.Fatal(err)
		}
		q := url.Values{"state": {issuer.Query().Get("state")}, "error": {"access_denied"}, "error_description": {"you\x00 may not\u202e"}}
		b.get(signin.CallbackPath+"?"+q.Encode()).wantProblem(http.StatusUnauthorized, "the issuer refused the sign-in: you may not")
		s.wantEvents("sign_in REJECTED anonymous  issuer: access_denied")
	})
	t.Run("AnswerOfAnotherIssuer", func(t *testing.T) {
		s, p := setupIssuer(t)
		b := s.browser()
		link := b.callback(b.begin(""))
		b.get(strings.Replace(link, url.QueryEscape(p.URL), "https%3A%2F%2Fevil.example", 1)).wantProblem(http.StatusUnauthorized, "another issuer")
	})
	t.Run("GarbageInTheCookie", func(t *testing.T) {
		s, _ := setupIssuer(t)
		b := s.browser()
		for _, value := range []string{"x", "W10", "bnVsbA", "W3sicyI6IkFBIn1d", strings.Repeat("A", 4000)} {
			b.setCookie(attemptCookie, value)
			b.get(signin.CallbackPath+"?code=x&state=").wantProblem(http.StatusUnauthorized, "was not begun in this browser")
		}
		b.signIn("").want(http.StatusOK)
	})
	t.Run("WrongSecretOfTheClient", func(t *testing.T) {
		s, _ := setupIssuer(t, func(o *options) { o.OIDC.ClientSecret = "other" })
		s.browser().signIn("").wantProblem(http.StatusUnauthorized, "CONSOLE_OIDC_CLIENT_SECRET")
		if s.wantEvents("sign_in REJECTED anonymous  issuer: invalid_client"); strings.Contains(s.log.String(), "other") {
			t.Errorf("%s", s.log)
		}
	})
}

// TestManager_IssuerFaults: a token endpoint that misbehaves costs a bounded time and no session.
func TestManager_IssuerFaults(t *testing.T) {
	t.Parallel()
	tokenEndpoint := func(p *oidctest.Issuer, answer func(w http.ResponseWriter, r *http.Request)) {
		p.Answer.Store(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/token" {
				answer(w, r)
			}
			return r.URL.Path == "/token"
		})
	}
	t.Run("Hangs", func(t *testing.T) {
		s, p := setupIssuer(t, func(o *options) { o.oidc.Client = &http.Client{Timeout: 300 * time.Millisecond} })
		tokenEndpoint(p, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // Before that, a server does not see that a client leaves.
			<-r.Context().Done()
		})
		b := s.browser()
		b.signIn("").wantProblem(http.StatusServiceUnavailable, "the issuer does not answer")
		b.wantName("")
		s.wantEvents()
	})
	t.Run("HangsForManyPeople", func(t *testing.T) {
		s, p := setupIssuer(t, func(o *options) { o.oidc.Client = &http.Client{Timeout: time.Minute} })
		const most = 16
		begun, proceed := make(chan struct{}, most), make(chan struct{})
		tokenEndpoint(p, func(w http.ResponseWriter, r *http.Request) {
			begun <- struct{}{}
			<-proceed
			p.Serve(w, r)
		})
		answers := make(chan int, most)
		for range most {
			b := s.browser()
			link := b.callback(b.begin(""))
			go func() { answers <- b.status(link) }()
			<-begun
		}
		last := s.browser()
		last.signIn("").wantProblem(http.StatusServiceUnavailable, "too many people are signing in")
		close(proceed)
		for range most {
			if status := <-answers; status != http.StatusOK {
				t.Errorf("status %d", status)
			}
		}
		last.signIn("").want(http.StatusOK)
	})
	t.Run("AnswersTenMegabytes", func(t *testing.T) {
		s, p := setupIssuer(t)
		tokenEndpoint(p, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"padding":"` + strings.Repeat("x", 10<<20) + `","access_token":"x"}`))
		})
		s.browser().signIn("").wantProblem(http.StatusServiceUnavailable, "the issuer does not answer")
	})
	t.Run("Redirects", func(t *testing.T) {
		s, p := setupIssuer(t)
		other := oidctest.New(t)
		tokenEndpoint(p, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/token", http.StatusTemporaryRedirect)
		})
		s.browser().signIn("").want(http.StatusUnauthorized)
		if n := other.Asked.Load(); n != 0 {
			t.Errorf("another server received %d requests", n)
		}
	})
	t.Run("Fails", func(t *testing.T) {
		s, p := setupIssuer(t)
		tokenEndpoint(p, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		s.browser().signIn("").wantProblem(http.StatusServiceUnavailable, "the issuer does not answer")
	})
	t.Run("SendsNoIDToken", func(t *testing.T) {
		s, p := setupIssuer(t)
		tokenEndpoint(p, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"access_token":"` + p.Token(nil) + `","token_type":"Bearer"}`))
		})
		s.browser().signIn("").wantProblem(http.StatusUnauthorized, "sent no ID token")
	})
	t.Run("SendsAnAPIKey", func(t *testing.T) {
		s, p := setupIssuer(t)
		key := s.key("ops", "admin")
		p.Lie(func(id, _ map[string]any) { delete(id, "at_hash") })
		answer := ""
		tokenEndpoint(p, func(w http.ResponseWriter, r *http.Request) {
			record := &recorded{header: http.Header{}}
			p.Serve(record, r)
			answer = record.text.String()
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(replaceAccessToken(t, answer, key)))
		})
		s.browser().signIn("").want(http.StatusUnauthorized)
		if n := s.registry.Sessions(); n != 0 {
			t.Errorf("%d sessions", n)
		}
	})
	t.Run("IsDown", func(t *testing.T) {
		s, p := setupIssuer(t)
		p.Down.Store(true)
		s.browser().get("/console/begin").wantProblem(http.StatusServiceUnavailable, "issuer does not answer")
	})
	t.Run("FloodOfCallbacksCostsTheIssuerNothing", func(t *testing.T) {
		s, p := setupIssuer(t, func(o *options) { o.maxRejections = 3 })
		b := s.browser()
		b.signIn("").want(http.StatusOK)
		asked := p.Asked.Load()
		for range 10 {
			b.get(signin.CallbackPath + "?code=x&state=y")
		}
		b.get(signin.CallbackPath+"?code=x&state=y").wantProblem(http.StatusTooManyRequests, "came from this address")
		if n := p.Asked.Load() - asked; n != 0 {
			t.Errorf("the issuer received %d requests", n)
		}
	})
}

func TestManager_Begin_ReturnsOnlyToTheConsole(t *testing.T) {
	s, _ := setupIssuer(t)
	for to, want := range map[string]string{
		"/console": "/console", "/console/": "/console/", "/console/tenants/1?tab=log#end": "/console/tenants/1?tab=log#end", "/console?x=1": "/console?x=1",
		"": "/console", "/": "/console", "/consolex": "/console", "/admin/tenants": "/console", "https://evil.example/console": "/console", "//evil.example/console": "/console",
		"/console//evil.example": "/console", "/console/../admin": "/console", "/console/%2e%2e/admin": "/console", `/console/\evil`: "/console", `\\evil.example`: "/console",
		"/console/%5cevil": "/console", "/console/a%0d%0ab": "/console", "/console/a\nb": "/console", "/console/%2f%2fevil": "/console", "/console/ä": "/console",
		"javascript:alert(1)": "/console", "/console/sign-in": "/console", "/console/sign-in/callback?code=x": "/console", "/console/" + strings.Repeat("x", 300): "/console",
		"/console/?next=//evil.example": "/console", " /console/x": "/console", "/console/%zz": "/console",
	} {
		if got := s.browser().signIn(to).want(http.StatusOK); got.json["to"] != want {
			t.Errorf("%q: %s", to, got.text)
		}
	}
}

// recorded is an answer that is changed before it is sent.
type recorded struct {
	header http.Header
	text   strings.Builder
}

func (r *recorded) Header() http.Header         { return r.header }
func (r *recorded) WriteHeader(int)             {}
func (r *recorded) Write(p []byte) (int, error) { return r.text.Write(p) }

// replaceAccessToken replaces the access token in an answer of the token endpoint.
func replaceAccessToken(t *testing.T, answer, token string) string {
	t.Helper()
	_, rest, found := strings.Cut(answer, `"access_token":"`)
	old, _, _ := strings.Cut(rest, `"`)
	if !found || old == "" {
		t.Fatalf("no access token in %s", answer)
	}
	return strings.Replace(answer, old, token, 1)
}
