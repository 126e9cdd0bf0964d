// Package oidctest has an OpenID Connect issuer for tests: honest, unless a test has it lie.
package oidctest

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Issuer is an OpenID Connect issuer, whose tokens are for the audience tenant-api. It is the one
// client's that SetClient names.
type Issuer struct {
	T      *testing.T
	URL    string
	Key    *rsa.PrivateKey
	Name   atomic.Value // Name of the key; a string.
	Asked  atomic.Int64 // Requests.
	Down   atomic.Bool
	NoKeys atomic.Bool
	Answer atomic.Value // A func(w, r) bool that responds instead of the issuer, or returns false.

	mu     sync.Mutex
	client Client
	lie    func(id, access map[string]any)
	codes  map[string]grant
}

// New starts an issuer until the end of the test.
func New(t *testing.T) *Issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &Issuer{T: t, Key: key, codes: map[string]grant{}}
	p.Name.Store("k1")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.Asked.Add(1)
		answer, _ := p.Answer.Load().(func(http.ResponseWriter, *http.Request) bool)
		switch {
		case p.Down.Load(), p.NoKeys.Load() && r.URL.Path == "/keys":
			panic(http.ErrAbortHandler)
		case answer != nil && answer(w, r):
		default:
			p.Serve(w, r)
		}
	}))
	t.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

func (p *Issuer) keyName() string {
	name, _ := p.Name.Load().(string)
	return name
}

// JWK is the public key.
func (p *Issuer) JWK() jose.JSONWebKey {
	return jose.JSONWebKey{Key: p.Key.Public(), KeyID: p.keyName(), Algorithm: "RS256", Use: "sig"}
}

// Serve is the honest issuer.
func (p *Issuer) Serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/keys":
		p.write(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{p.JWK()}})
	case "/authorize":
		p.authorize(w, r)
	case "/token":
		p.token(w, r)
	default:
		p.write(w, map[string]any{
			"issuer": p.URL, "jwks_uri": p.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
			"authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		})
	}
}

// write answers with JSON. A client may have left.
func (p *Issuer) write(w http.ResponseWriter, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		p.T.Error(err)
	}
	_, _ = w.Write(text)
}

// Claims are those of an access token of Ada Lovelace, who may read tenants.
func (p *Issuer) Claims() map[string]any {
	return map[string]any{"iss": p.URL, "aud": "tenant-api", "sub": "ada", "name": "Ada Lovelace", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "scope": "openid tenants:read"}
}

// Sign signs with a key, as the issuer's.
func (p *Issuer) Sign(algorithm jose.SignatureAlgorithm, key any, claims map[string]any) string {
	p.T.Helper()
	return p.SignAs(p.keyName(), algorithm, key, claims)
}

// SignAs signs with a key of that name, which the issuer may not know.
func (p *Issuer) SignAs(name string, algorithm jose.SignatureAlgorithm, key any, claims map[string]any) string {
	p.T.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", name))
	if err != nil {
		p.T.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		p.T.Fatal(err)
	}
	return token
}

// Token is an access token with changed claims.
func (p *Issuer) Token(change func(map[string]any)) string {
	p.T.Helper()
	c := p.Claims()
	if change != nil {
		change(c)
	}
	return p.Sign(jose.RS256, p.Key, c)
}
