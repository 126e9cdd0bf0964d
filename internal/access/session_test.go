package access_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

func TestParseSession(t *testing.T) {
	t.Parallel()
	token := access.NewSessionToken()
	hash, ok := access.ParseSession(token.Reveal())
	if !ok || len(token.Reveal()) != len("hcs_")+43 || strings.Contains(token.String(), token.Reveal()[4:]) {
		t.Error("the token has another form, or prints itself")
	}
	if other, _ := access.ParseSession(access.NewSessionToken().Reveal()); other == hash {
		t.Error("two tokens have the same hash")
	}
	secret := token.Reveal()[4:]
	for _, malformed := range []string{"", "hcs_", secret, "hck_" + secret, "hcs_" + secret[:42], "hcs_" + secret + "A", "HCS_" + secret, " hcs_" + secret, "hcs_" + strings.Repeat("=", 43), "hcs_" + strings.Repeat("B", 43), "hcs_" + secret[:42] + "\x00"} {
		if _, ok := access.ParseSession(malformed); ok {
			t.Errorf("%q is a token", malformed)
		}
	}
}

// sessionList has given sessions and counts what is asked of it.
type sessionList struct {
	hashes       []access.SessionHash
	err          error
	finds, lists int
}

func (s *sessionList) Find(context.Context, access.SessionHash) (access.Session, error) {
	s.finds++
	return access.Session{}, s.err
}

func (s *sessionList) List(context.Context, int) ([]access.SessionHash, error) {
	s.lists++
	return s.hashes, s.err
}

func reasonOf(err error) string {
	var authErr *access.AuthError
	if errors.As(err, &authErr) {
		return authErr.Reason
	}
	return ""
}

func TestVerifySession(t *testing.T) {
	t.Parallel()
	unknown := errs.Errorf(errs.KindNotFound, "find", "unknown")
	away := errs.Errorf(errs.KindTransient, "find", "away")
	for name, c := range map[string]struct {
		token  string
		err    error
		reason string
		finds  int
	}{
		"Malformed": {token: "hcs_x", reason: "malformed"},
		"Ended":     {token: access.NewSessionToken().Reveal(), err: unknown, reason: "ended session", finds: 1},
		"Away":      {token: access.NewSessionToken().Reveal(), err: away, finds: 1},
		"Live":      {token: access.NewSessionToken().Reveal(), finds: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &sessionList{err: c.err}
			_, err := access.VerifySession(t.Context(), store, c.token)
			if reasonOf(err) != c.reason || store.finds != c.finds || c.reason == "" && !errors.Is(err, c.err) {
				t.Errorf("%v after %d lookups", err, store.finds)
			}
		})
	}
}

func TestSessionSnapshot(t *testing.T) {
	t.Parallel()
	token, unknown := access.NewSessionToken().Reveal(), access.NewSessionToken().Reveal()
	hash, _ := access.ParseSession(token)
	store, clock := &sessionList{hashes: []access.SessionHash{hash}}, &stopwatch{now: time.Now()}
	snapshot := access.NewSessionSnapshot(store, clock)
	check := func(token, reason string, lists int) {
		t.Helper()
		if err := snapshot.Check(t.Context(), token); reasonOf(err) != reason || reason == "" && err != nil || store.lists != lists {
			t.Errorf("%v after %d reads", err, store.lists)
		}
	}
	check("hcs_x", "malformed", 0)
	check(token, "", 1)
	check(unknown, "ended session", 1)
	made := access.NewSessionToken().Reveal()
	check(made, "ended session", 1)
	madeHash, _ := access.ParseSession(made)
	snapshot.Add(madeHash)
	check(made, "", 1)
	clock.pass(access.SnapshotAge)
	check(made, "ended session", 2) // The store does not have it.
	store.err = errs.Errorf(errs.KindTransient, "list", "away")
	clock.pass(access.SnapshotAge)
	check(token, "", 3) // The old copy stays in use.
	if err := access.NewSessionSnapshot(store, clock).Check(t.Context(), token); !errors.Is(err, store.err) {
		t.Errorf("%v", err)
	}
}
