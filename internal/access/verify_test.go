package access_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	verifyFails := func(t *testing.T, s *countingStore, token string, now time.Time, reason string) *access.AuthError {
		t.Helper()
		s.lookups = nil
		_, err := access.Verify(t.Context(), s, token, now)
		var r *access.AuthError
		if !errors.As(err, &r) || r.Reason != reason {
			t.Fatalf("%v, want a rejection because of %q", err, reason)
		}
		want := 1
		if reason == "no key" || reason == "malformed" {
			want = 0
		}
		if len(s.lookups) != want || want == 1 && len(s.lookups[0]) != 12 {
			t.Errorf("looked up %q, want %d prefixes", s.lookups, want)
		}
		return r
	}
	assertFails := func(t *testing.T, s *countingStore, token string, now time.Time, reason string) {
		t.Helper()
		_ = verifyFails(t, s, token, now, reason)
	}

	t.Run("AcceptsKeyUntilExpiry", func(t *testing.T) {
		s := setup(t)
		key, token := s.createKey(t, "ci", time.Hour)
		got, err := access.Verify(t.Context(), s, token, key.ExpiresAt.Add(-time.Microsecond))
		if err != nil || got.ID != key.ID || got.Name != "ci" || len(s.lookups) != 1 {
			t.Errorf("%+v, %v after %d lookups", got, err, len(s.lookups))
		}
		assertFails(t, s, token, key.ExpiresAt, "expired")
	})
	t.Run("AcceptsKeyWithoutExpiry", func(t *testing.T) {
		s := setup(t)
		_, token := s.createKey(t, "ci", 0)
		if _, err := access.Verify(t.Context(), s, token, time.Now().AddDate(100, 0, 0)); err != nil {
			t.Error(err)
		}
	})
	t.Run("RefusesRevoked", func(t *testing.T) {
		s := setup(t)
		key, token := s.createKey(t, "ci", 0)
		if _, err := s.Revoke(t.Context(), key.Prefix); err != nil {
			t.Fatal(err)
		}
		assertFails(t, s, token, time.Now(), "revoked")
	})
	t.Run("HidesWhichKeysExist", func(t *testing.T) {
		s := setup(t)
		key, token := s.createKey(t, "ci", 0)
		wrong := verifyFails(t, s, token[:len(token)-1]+otherCharacter(token[len(token)-1]), time.Now(), "wrong secret")
		if wrong.Prefix != key.Prefix {
			t.Errorf("prefix %q", wrong.Prefix)
		}
		unknown := verifyFails(t, s, unknownToken, time.Now(), "unknown key")
		malformed := verifyFails(t, s, "hck_short", time.Now(), "malformed")
		if wrong.Detail != unknown.Detail || wrong.Detail != malformed.Detail {
			t.Errorf("the details differ: %q, %q, %q", wrong.Detail, unknown.Detail, malformed.Detail)
		}
	})
	t.Run("RevokedKeyWithWrongSecretIsWrongSecret", func(t *testing.T) {
		s := setup(t)
		key, token := s.createKey(t, "ci", 0)
		if _, err := s.Revoke(t.Context(), key.Prefix); err != nil {
			t.Fatal(err)
		}
		assertFails(t, s, token[:len(token)-1]+otherCharacter(token[len(token)-1]), time.Now(), "wrong secret")
	})
	t.Run("RejectsMalformedToken", func(t *testing.T) {
		s := setup(t)
		assertFails(t, s, "", time.Now(), "no key")
		_, token := s.createKey(t, "ci", 0)
		for _, malformedToken := range []string{
			"hck_", "hck_.", token + "A", token[1:], strings.ToUpper(token), strings.Replace(token, ".", "", 1),
			strings.Replace(token, "hck_", "hck_\x00", 1)[:len(token)], "hck_abcdefghijk\x00." + strings.Repeat("A", 43), "\xff", " " + token,
		} {
			assertFails(t, s, malformedToken, time.Now(), "malformed")
		}
	})
	t.Run("ReturnsStoreError", func(t *testing.T) {
		s := setup(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := access.Verify(ctx, s, unknownToken, time.Now())
		if errs.KindOf(err) != errs.KindCancelled {
			t.Errorf("%v", err)
		}
	})
}

// unknownToken has the form of a token but is unknown.
var unknownToken = "hck_abcdefghijkl." + strings.Repeat("A", 43)

// otherCharacter returns a different base64url character.
func otherCharacter(c byte) string {
	if c == 'A' {
		return "E"
	}
	return "A"
}

func TestNewKey(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	t.Run("TokenHasDocumentedForm", func(t *testing.T) {
		t.Parallel()
		key, token, err := access.NewKey(access.KeyRequest{Name: " ci ", Scopes: []access.Scope{access.ScopeWrite}, TTL: time.Hour}, now)
		if err != nil {
			t.Fatal(err)
		}
		match := regexp.MustCompile(`^hck_([a-z2-7]{12})\.[A-Za-z0-9_-]{43}$`).FindStringSubmatch(token.Reveal())
		if match == nil || match[1] != key.Prefix {
			t.Error("the token has another form, or another prefix than the key")
		}
		if key.Name != "ci" || !key.CreatedAt.Equal(now) || !key.ExpiresAt.Equal(now.Add(time.Hour)) {
			t.Errorf("%+v", key)
		}
		if strings.Contains(token.String(), key.Prefix) {
			t.Error("the token prints itself")
		}
	})
	t.Run("TokensDiffer", func(t *testing.T) {
		t.Parallel()
		a, one, _ := access.NewKey(access.KeyRequest{Name: "a", Scopes: access.Scopes()}, now)
		b, other, _ := access.NewKey(access.KeyRequest{Name: "a", Scopes: access.Scopes()}, now)
		if a.Prefix == b.Prefix || a.Hash == b.Hash || a.ID == b.ID || one == other {
			t.Error("two keys share something")
		}
	})
	t.Run("NamesInvalidSetting", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"", "  ", strings.Repeat("é", 101), "a\nb", "a\xff"} {
			_, _, err := access.NewKey(access.KeyRequest{Name: name, Scopes: access.Scopes()}, now)
			wantField(t, err, "name")
		}
		_, _, err := access.NewKey(access.KeyRequest{Name: strings.Repeat("é", 100)}, now)
		wantField(t, err, "scope")
		_, _, err = access.NewKey(access.KeyRequest{Name: "ci", Scopes: []access.Scope{"tenants:wipe"}}, now)
		wantField(t, err, "scope")
		_, _, err = access.NewKey(access.KeyRequest{Name: "ci", Scopes: access.Scopes(), TTL: -time.Second}, now)
		wantField(t, err, "expires")
		for _, limit := range []int{-1, access.MaxRateLimit + 1} {
			_, _, err = access.NewKey(access.KeyRequest{Name: "ci", Scopes: access.Scopes(), RateLimit: limit}, now)
			wantField(t, err, "rateLimit")
		}
		_, _, err = access.NewKey(access.KeyRequest{Name: "ci", Scopes: access.Scopes(), OnlyMetadata: tenant.MetadataFilter{strings.Repeat("k", 64): ""}}, now)
		wantField(t, err, "onlyMetadata")
	})
}

func TestPermits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		granted []access.Scope
		permits []access.Scope
	}{
		{nil, nil},
		{[]access.Scope{access.ScopeRead}, []access.Scope{access.ScopeRead}},
		{[]access.Scope{access.ScopeWrite}, []access.Scope{access.ScopeRead, access.ScopeWrite}},
		{[]access.Scope{access.ScopePurge}, []access.Scope{access.ScopePurge}},
		{[]access.Scope{access.ScopeRead, access.ScopePurge}, []access.Scope{access.ScopeRead, access.ScopePurge}},
		{[]access.Scope{access.ScopeAdmin}, access.Scopes()},
		{[]access.Scope{"tenants:everything"}, nil},
	} {
		for _, s := range access.Scopes() {
			want := false
			for _, p := range c.permits {
				want = want || p == s
			}
			if access.Permits(c.granted, s) != want {
				t.Errorf("%v permits %s: %t", c.granted, s, !want)
			}
		}
	}
}

func TestParseScopes(t *testing.T) {
	t.Parallel()
	got, err := access.ParseScopes(" tenants:read,tenants:purge  admin")
	if err != nil || len(got) != 3 || got[0] != access.ScopeRead || got[1] != access.ScopePurge || got[2] != access.ScopeAdmin {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", " , ", "tenants:read,write"} {
		_, err := access.ParseScopes(text)
		wantField(t, err, "scope")
	}
}
