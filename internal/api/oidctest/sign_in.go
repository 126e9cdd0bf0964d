package oidctest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Client is a client of the issuer, at which people sign in.
type Client struct {
	ID, Secret  string // An empty secret: a public client.
	RedirectURL string
	Scope       string // What it has to request.
}

// grant is what a code stands for.
type grant struct{ nonce, challenge string }

// SetClient names the client of the issuer.
func (p *Issuer) SetClient(c Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.client = c
}

// Lie has the issuer change the claims of the ID token and the access token; nil: it is honest.
func (p *Issuer) Lie(lie func(id, access map[string]any)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lie = lie
}

// authorize signs Ada Lovelace in and sends the browser back. It fails the test if the request is not
// one of the authorization code flow with PKCE.
func (p *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := r.URL.Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": p.client.ID, "redirect_uri": p.client.RedirectURL, "scope": p.client.Scope, "code_challenge_method": "S256",
	} {
		if q.Get(name) != want {
			p.T.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(q.Get(name)) != 43 { // 256 bits.
			p.T.Errorf("%s is %q", name, q.Get(name))
		}
	}
	code := rand.Text()
	p.codes[code] = grant{q.Get("nonce"), q.Get("code_challenge")}
	back := url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.URL}}
	http.Redirect(w, r, p.client.RedirectURL+"?"+back.Encode(), http.StatusFound)
}

// token exchanges a code, once.
func (p *Issuer) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	refuse := func(status int, code string) {
		w.WriteHeader(status)
		p.write(w, map[string]string{"error": code})
	}
	id, secret, basic := r.BasicAuth()
	if p.client.Secret == "" {
		id, basic = r.PostFormValue("client_id"), true
	}
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	g, known := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	switch {
	case r.Method != http.MethodPost || !basic || id != p.client.ID || secret != p.client.Secret:
		refuse(http.StatusUnauthorized, "invalid_client")
	case r.PostFormValue("grant_type") != "authorization_code" || !known || r.PostFormValue("redirect_uri") != p.client.RedirectURL ||
		base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge:
		refuse(http.StatusBadRequest, "invalid_grant")
	default:
		p.answer(w, g)
	}
}

func (p *Issuer) answer(w http.ResponseWriter, g grant) {
	now := time.Now()
	person := map[string]any{"iss": p.URL, "aud": p.client.ID, "sub": "ada", "name": "Ada Lovelace", "nonce": g.nonce, "exp": now.Add(time.Hour).Unix(), "iat": now.Unix()}
	access := p.Claims()
	delete(access, "name") // As of many issuers.
	if p.lie != nil {
		p.lie(person, access)
	}
	token := p.Sign(jose.RS256, p.Key, access)
	if person["at_hash"] == nil {
		sum := sha256.Sum256([]byte(token))
		person["at_hash"] = base64.RawURLEncoding.EncodeToString(sum[:16])
	}
	p.write(w, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 3600, "id_token": p.Sign(jose.RS256, p.Key, person)})
}
