package access_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

func TestVerify(t *testing.T) {
	t.Parallel()
	refuse := func(t *testing.T, s *counted, token string, now time.Time, reason string) *access.Refusal {
		t.Helper()
		s.finds = nil
		_, err := access.Verify(t.Context(), s, token, now)
		var r *access.Refusal
		if !errors.As(err, &r) || r.Reason != reason {
			t.Fatalf("%v, want a refusal because of %q", err, reason)
		}
		want := 1
		if reason == "no key" || reason == "malformed" {
			want = 0
		}
		if len(s.finds) != want || want == 1 && len(s.finds[0]) != 12 {
			t.Errorf("looked up %q, want %d prefixes", s.finds, want)
		}
		return r
	}
	refused := func(t *testing.T, s *counted, token string, now time.Time, reason string) {
		t.Helper()
		_ = refuse(t, s, token, now, reason)
	}

	t.Run("AcceptsAKeyUntilItExpires", func(t *testing.T) {
		s := setup(t)
		key, token := s.issue(t, "ci", time.Hour)
		got, err := access.Verify(t.Context(), s, token, key.ExpiresAt.Add(-time.Microsecond))
		if err != nil || got.ID != key.ID || got.Name != "ci" || len(s.finds) != 1 {
			t.Errorf("%+v, %v after %d look-ups", got, err, len(s.finds))
		}
		refused(t, s, token, key.ExpiresAt, "expired")
	})
	t.Run("AcceptsAKeyWithoutEnd", func(t *testing.T) {
		s := setup(t)
		_, token := s.issue(t, "ci", 0)
		if _, err := access.Verify(t.Context(), s, token, time.Now().AddDate(100, 0, 0)); err != nil {
			t.Error(err)
		}
	})
	t.Run("RefusesRevoked", func(t *testing.T) {
		s := setup(t)
		key, token := s.issue(t, "ci", 0)
		if _, err := s.Revoke(t.Context(), key.Prefix); err != nil {
			t.Fatal(err)
		}
		refused(t, s, token, time.Now(), "revoked")
	})
	t.Run("TellsNobodyWithoutASecretWhichKeysExist", func(t *testing.T) {
		s := setup(t)
		key, token := s.issue(t, "ci", 0)
		wrong := refuse(t, s, token[:len(token)-1]+flip(token[len(token)-1]), time.Now(), "wrong secret")
		if wrong.Prefix != key.Prefix {
			t.Errorf("prefix %q", wrong.Prefix)
		}
		unknown := refuse(t, s, unknownToken, time.Now(), "unknown key")
		malformed := refuse(t, s, "hck_short", time.Now(), "malformed")
		if wrong.Detail != unknown.Detail || wrong.Detail != malformed.Detail {
			t.Errorf("told apart: %q, %q, %q", wrong.Detail, unknown.Detail, malformed.Detail)
		}
	})
	t.Run("AWrongSecretOfARevokedKeyIsWrong", func(t *testing.T) {
		s := setup(t)
		key, token := s.issue(t, "ci", 0)
		if _, err := s.Revoke(t.Context(), key.Prefix); err != nil {
			t.Fatal(err)
		}
		refused(t, s, token[:len(token)-1]+flip(token[len(token)-1]), time.Now(), "wrong secret")
	})
	t.Run("RefusesWhatIsNoToken", func(t *testing.T) {
		s := setup(t)
		refused(t, s, "", time.Now(), "no key")
		_, token := s.issue(t, "ci", 0)
		for _, odd := range []string{
			"hck_", "hck_.", token + "A", token[1:], strings.ToUpper(token), strings.Replace(token, ".", "", 1),
			strings.Replace(token, "hck_", "hck_\x00", 1)[:len(token)], "hck_abcdefghijk\x00." + strings.Repeat("A", 43), "\xff", " " + token,
		} {
			refused(t, s, odd, time.Now(), "malformed")
		}
	})
	t.Run("IsNoRefusalWhenTheRegistryDoesNotAnswer", func(t *testing.T) {
		s := setup(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := access.Verify(ctx, s, unknownToken, time.Now())
		if provisioning.KindOf(err) != provisioning.KindCancelled {
			t.Errorf("%v", err)
		}
	})
}

// unknownToken has the form of a token, and is none.
var unknownToken = "hck_abcdefghijkl." + strings.Repeat("A", 43)

// flip gives another character of base64url.
func flip(c byte) string {
	if c == 'A' {
		return "E"
	}
	return "A"
}

func TestNewKey(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	t.Run("TokenHasTheDocumentedForm", func(t *testing.T) {
		t.Parallel()
		key, token, err := access.NewKey(" ci ", []access.Scope{access.ScopeWrite}, time.Hour, now)
		if err != nil {
			t.Fatal(err)
		}
		form := regexp.MustCompile(`^hck_([a-z2-7]{12})\.[A-Za-z0-9_-]{43}$`).FindStringSubmatch(token.Reveal())
		if form == nil || form[1] != key.Prefix {
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
		a, one, _ := access.NewKey("a", access.Scopes(), 0, now)
		b, other, _ := access.NewKey("a", access.Scopes(), 0, now)
		if a.Prefix == b.Prefix || a.Hash == b.Hash || a.ID == b.ID || one == other {
			t.Error("two keys share something")
		}
	})
	t.Run("NamesWhatIsWrong", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"", "  ", strings.Repeat("é", 101), "a\nb", "a\xff"} {
			_, _, err := access.NewKey(name, access.Scopes(), 0, now)
			wantField(t, err, "name")
		}
		_, _, err := access.NewKey(strings.Repeat("é", 100), nil, 0, now)
		wantField(t, err, "scope")
		_, _, err = access.NewKey("ci", []access.Scope{"tenants:wipe"}, 0, now)
		wantField(t, err, "scope")
		_, _, err = access.NewKey("ci", access.Scopes(), -time.Second, now)
		wantField(t, err, "expires")
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
