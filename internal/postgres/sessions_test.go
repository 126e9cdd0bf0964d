package postgres_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
)

// newSessionHash is the hash of a new session's token.
func newSessionHash(t *testing.T) access.SessionHash {
	t.Helper()
	hash, ok := access.ParseSession(access.NewSessionToken().Reveal())
	if !ok {
		t.Fatal("a new token is malformed")
	}
	return hash
}

// ofPerson is the request of a person of the issuer.
func ofPerson(subject string) access.SessionRequest {
	return access.SessionRequest{
		Subject: subject, Name: "Ada Lovelace", Scopes: []access.Scope{access.ScopeRead, access.ScopePurge}, IdleTimeout: 30 * time.Minute, TTL: 12 * time.Hour,
	}
}

func ofKey(k access.Key) access.SessionRequest {
	return access.SessionRequest{KeyID: k.ID, IdleTimeout: 30 * time.Minute, TTL: 12 * time.Hour}
}

func (b fixture) createSession(r access.SessionRequest) access.SessionHash {
	b.T.Helper()
	hash := newSessionHash(b.T)
	b.Must(b.Sessions.Create(b.T.Context(), hash, r))
	return hash
}

// wantSession expects that a session can be used, or that it cannot.
func (b fixture) wantSession(hash access.SessionHash, live bool) {
	b.T.Helper()
	ended, err := b.Sessions.FindEnded(b.T.Context(), []access.SessionHash{hash})
	b.Must(err)
	if slices.Contains(ended, hash) == live {
		b.T.Errorf("FindEnded returns %d sessions, want live %t", len(ended), live)
	}
	if _, err := b.Sessions.Find(b.T.Context(), hash); live {
		b.Must(err)
	} else {
		postgrestest.WantKind(b.T, err, errs.KindNotFound)
	}
}

func TestSessions_Create(t *testing.T) {
	t.Parallel()
	t.Run("OfPersonStoresEveryField", func(t *testing.T) {
		b := setup(t)
		hash := b.createSession(ofPerson("ada"))
		got, err := b.Sessions.Find(t.Context(), hash)
		b.Must(err)
		if got.Hash != hash || got.KeyID != uuid.Nil || got.Caller() != (audit.Caller{Kind: audit.CallerToken, ID: "ada", Name: "Ada Lovelace"}) ||
			!slices.Equal(got.Scopes, ofPerson("").Scopes) || len(got.OnlyMetadata) != 0 || got.CreatedAt.IsZero() || !got.LastSeenAt.Equal(got.CreatedAt) ||
			got.ExpiresAt.Sub(got.CreatedAt) != 12*time.Hour || !got.KeyUsedAt.IsZero() {
			t.Errorf("%+v", got)
		}
	})
	t.Run("OfKeyHasWhatTheKeyHas", func(t *testing.T) {
		b := setup(t)
		key := b.createKey("ops", time.Hour)
		b.Must(b.APIKeys.RecordUse(t.Context(), key.ID))
		got, err := b.Sessions.Find(t.Context(), b.createSession(ofKey(key)))
		b.Must(err)
		if got.KeyID != key.ID || got.Caller() != (audit.Caller{Kind: audit.CallerAPIKey, ID: key.Prefix, Name: "ops"}) ||
			!slices.Equal(got.Scopes, key.Scopes) || got.OnlyMetadata["region"] != "eu" || got.KeyUsedAt.IsZero() {
			t.Errorf("%+v", got)
		}
	})
	t.Run("WritesAuditEvent", func(t *testing.T) {
		b := setup(t)
		ada := audit.Caller{Kind: audit.CallerToken, ID: "ada", Name: "Ada Lovelace", Address: "192.0.2.1"}
		b.Must(b.Sessions.Create(audit.WithCaller(t.Context(), ada), newSessionHash(t), ofPerson("ada")))
		log := b.registryEvents()
		if len(log) != 1 || log[0].Action != access.AuditSignIn || log[0].Outcome != audit.OutcomeDone || log[0].Caller != ada || log[0].Detail["ttl"] != "12h0m0s" {
			t.Errorf("%+v", log)
		}
	})
	t.Run("RejectsKeysThatCannotBeUsedAndWritesNothing", func(t *testing.T) {
		b := setup(t)
		revoked, expired := b.createKey("revoked", 0), b.createKey("expired", time.Hour)
		_, err := b.APIKeys.Revoke(t.Context(), "revoked")
		b.Must(err)
		b.Exec(`UPDATE api_keys SET expires_at = now() WHERE name = 'expired'`)
		events := len(b.registryEvents())
		for _, key := range []access.Key{revoked, expired, {ID: uuid.New()}} {
			postgrestest.WantKind(t, b.Sessions.Create(t.Context(), newSessionHash(t), ofKey(key)), errs.KindNotFound)
		}
		if n := value[int](b, `SELECT count(*) FROM console_sessions`); n != 0 || len(b.registryEvents()) != events {
			t.Errorf("%d sessions, %d events", n, len(b.registryEvents())-events)
		}
	})
	t.Run("DeletesSomeThatHaveTimedOut", func(t *testing.T) {
		b := setup(t)
		for range 3 {
			b.createSession(ofPerson("ada"))
		}
		b.Exec(`INSERT INTO console_sessions (token_hash, subject, scopes, idle_timeout, expires_at)
			SELECT sha256(n::text::bytea), 'bob', '{admin}', '1 hour', now() FROM generate_series(1, 150) n`)
		b.Exec(`UPDATE console_sessions SET last_seen_at = now() - interval '30 minutes' WHERE subject = 'ada' AND token_hash = (SELECT token_hash FROM console_sessions WHERE subject = 'ada' LIMIT 1)`)
		b.createSession(ofPerson("ada"))
		if n := value[int](b, `SELECT count(*) FROM console_sessions`); n != 154-100 {
			t.Errorf("%d sessions", n)
		}
		b.createSession(ofPerson("ada"))
		if n := value[int](b, `SELECT count(*) FROM console_sessions`); n != 4 {
			t.Errorf("%d sessions", n)
		}
	})
	t.Run("EndsTheOneThatItReplaces", func(t *testing.T) {
		b := setup(t)
		first, other := b.createSession(ofPerson("ada")), b.createSession(ofPerson("ada"))
		r := ofPerson("ada")
		r.Replaces = first
		second := b.createSession(r)
		b.wantSession(first, false)
		b.wantSession(other, true)
		b.wantSession(second, true)
	})
	t.Run("EndsTheOldestOfAPersonWithTooMany", func(t *testing.T) {
		b := setup(t)
		key := b.createKey("ops", 0)
		other, first := b.createSession(ofPerson("ada")), b.createSession(ofKey(key))
		for range access.MaxSessions - 1 {
			b.createSession(ofKey(key))
		}
		b.wantSession(first, true)
		last := b.createSession(ofKey(key))
		b.wantSession(first, false)
		b.wantSession(last, true)
		b.wantSession(other, true)
	})
}

// TestSessions_Find: a session ends with its time, its idle time and its key, by the database's
// clock.
func TestSessions_Find(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]struct {
		statement string
		live      bool
	}{
		"AlmostIdle":        {`UPDATE console_sessions SET last_seen_at = now() - interval '29 minutes'`, true},
		"Idle":              {`UPDATE console_sessions SET last_seen_at = now() - interval '30 minutes'`, false},
		"AlmostExpired":     {`UPDATE console_sessions SET expires_at = now() + interval '1 minute'`, true},
		"Expired":           {`UPDATE console_sessions SET expires_at = now()`, false},
		"KeyRevoked":        {`UPDATE api_keys SET revoked_at = now()`, false},
		"KeyExpired":        {`UPDATE api_keys SET expires_at = now()`, false},
		"KeyDeleted":        {`DELETE FROM api_keys`, false},
		"MadeByDroppedUser": {`UPDATE console_sessions SET made_by = 'nobody_has_this_name'`, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			hash := b.createSession(ofKey(b.createKey("ops", time.Hour)))
			b.wantSession(hash, true)
			b.Exec(change.statement)
			b.wantSession(hash, change.live)
		})
	}
	t.Run("NarrowedKeyCountsAtOnce", func(t *testing.T) {
		b := setup(t)
		hash := b.createSession(ofKey(b.createKey("ops", time.Hour)))
		b.Exec(`UPDATE api_keys SET scopes = '{tenants:read}', only_metadata = '{"region": "us"}', name = 'renamed'`)
		got, err := b.Sessions.Find(t.Context(), hash)
		if err != nil || !slices.Equal(got.Scopes, []access.Scope{access.ScopeRead}) || got.OnlyMetadata["region"] != "us" || got.Name != "renamed" {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("RecordsUseOnceAMinute", func(t *testing.T) {
		b := setup(t)
		hash := b.createSession(ofPerson("ada"))
		seen := func() time.Time {
			t.Helper()
			_, err := b.Sessions.Find(t.Context(), hash)
			b.Must(err)
			return value[time.Time](b, `SELECT last_seen_at FROM console_sessions`)
		}
		first := seen()
		if again := seen(); !again.Equal(first) {
			t.Error("a second use in the same minute was recorded")
		}
		b.Exec(`UPDATE console_sessions SET last_seen_at = last_seen_at - interval '1 minute'`)
		if later := seen(); !later.After(first) {
			t.Errorf("%v, then %v", first, later)
		}
		b.Exec(`UPDATE console_sessions SET last_seen_at = last_seen_at - interval '1 minute'`)
		before := value[time.Time](b, `SELECT last_seen_at FROM console_sessions`)
		_, err := b.Sessions.FindEnded(t.Context(), []access.SessionHash{hash}) // An open stream is no use.
		b.Must(err)
		if after := value[time.Time](b, `SELECT last_seen_at FROM console_sessions`); !after.Equal(before) {
			t.Error("FindEnded recorded a use")
		}
	})
	t.Run("OfAnotherRegistryIsUnknown", func(t *testing.T) {
		one, other := setup(t), fixture{postgrestest.Open(t, pgdb.Options{})}
		hash := one.createSession(ofPerson("ada"))
		one.wantSession(hash, true)
		other.wantSession(hash, false)
	})
}

func TestSessions_List(t *testing.T) {
	b := setup(t)
	b.createSession(ofPerson("timed out"))
	b.Exec(`UPDATE console_sessions SET expires_at = now()`)
	older := b.createSession(ofKey(b.createKey("ops", 0)))
	newer := b.createSession(ofPerson("ada"))
	for limit, want := range map[int][]access.SessionHash{1: {newer}, 9: {newer, older}} {
		if got, err := b.Sessions.List(t.Context(), limit); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d sessions, %v", len(got), err)
		}
	}
}

func TestSessions_FindEnded(t *testing.T) {
	b := setup(t)
	live, unknown := b.createSession(ofPerson("ada")), newSessionHash(t)
	for range b.Pool().Config().MaxConns { // It does not wait for these.
		conn, err := b.Pool().Acquire(t.Context())
		b.Must(err)
		defer conn.Release()
	}
	got, err := b.Sessions.FindEnded(t.Context(), []access.SessionHash{live, unknown})
	if err != nil || !slices.Equal(got, []access.SessionHash{unknown}) {
		t.Errorf("%d ended, %v", len(got), err)
	}
}

func TestSessions_End(t *testing.T) {
	t.Parallel()
	signOuts := func(b fixture) (actions string) {
		for _, e := range b.registryEvents() {
			if e.Action == access.AuditSignOut || e.Action == access.AuditSignOutEverywhere {
				actions += string(e.Action) + " of " + e.Caller.Name + " "
			}
		}
		return actions
	}
	as := func(t *testing.T, name string) context.Context {
		t.Helper()
		return audit.WithCaller(t.Context(), audit.Caller{Kind: audit.CallerToken, Name: name})
	}
	t.Run("OneLeavesOthers", func(t *testing.T) {
		b := setup(t)
		one, other := b.createSession(ofPerson("ada")), b.createSession(ofPerson("ada"))
		for range 2 {
			b.Must(b.Sessions.End(as(t, "Ada"), one))
		}
		b.wantSession(one, false)
		b.wantSession(other, true)
		if got := signOuts(b); got != "console.sign_out of Ada " {
			t.Error(got)
		}
	})
	t.Run("AllOfAPersonLeavesOtherPersons", func(t *testing.T) {
		b := setup(t)
		one, second, bob := b.createSession(ofPerson("ada")), b.createSession(ofPerson("ada")), b.createSession(ofPerson("bob"))
		ops, otherKey := b.createKey("ops", 0), b.createKey("other", 0)
		byKey, again, byOther := b.createSession(ofKey(ops)), b.createSession(ofKey(ops)), b.createSession(ofKey(otherKey))
		for _, want := range []int64{2, 0} {
			if n, err := b.Sessions.EndAll(as(t, "Ada"), one); err != nil || n != want {
				t.Errorf("%d ended, %v", n, err)
			}
		}
		if n, err := b.Sessions.EndAll(as(t, "Ops"), byKey); err != nil || n != 2 {
			t.Errorf("%d ended, %v", n, err)
		}
		for hash, live := range map[access.SessionHash]bool{one: false, second: false, bob: true, byKey: false, again: false, byOther: true} {
			b.wantSession(hash, live)
		}
		if got := signOuts(b); got != "console.sign_out_everywhere of Ada console.sign_out_everywhere of Ops " {
			t.Error(got)
		}
	})
}

// TestSessions_ServerLogin: the user of servers without a worker makes, uses and ends sessions. What
// it makes is none for servers with more privileges, or a server that was taken over could do there
// what its own user may not.
func TestSessions_ServerLogin(t *testing.T) {
	t.Parallel()
	_, b, login := newServerLogin(t)
	db, err := postgres.Open(t.Context(), pgdb.Options{URL: login.Config().ConnString(), ManualMigrate: true})
	b.Must(err)
	t.Cleanup(db.Close)
	server := fixture{Fixture: b.Fixture}
	server.DB = db
	byOwner, byServer := b.createSession(ofPerson("ada")), newSessionHash(t)
	b.Must(db.Sessions.Create(t.Context(), byServer, ofPerson("ada")))
	server.wantSession(byOwner, true)
	server.wantSession(byServer, true)
	b.wantSession(byOwner, true)
	b.wantSession(byServer, false)
	for _, statement := range []string{
		`UPDATE console_sessions SET scopes = '{admin}'`, `UPDATE console_sessions SET made_by = 'x'`, `UPDATE console_sessions SET expires_at = 'infinity'`,
		`UPDATE console_sessions SET key_id = NULL`, `INSERT INTO console_sessions SELECT * FROM console_sessions`, `TRUNCATE console_sessions`,
	} {
		if _, err := login.Exec(t.Context(), statement, pgx.QueryExecModeSimpleProtocol); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if hashes, err := db.Sessions.List(t.Context(), 9); err != nil || len(hashes) != 2 {
		t.Errorf("%d sessions, %v", len(hashes), err)
	}
	b.Must(db.Sessions.End(t.Context(), byServer))
	if n, err := db.Sessions.EndAll(t.Context(), byOwner); err != nil || n != 1 {
		t.Errorf("%d ended, %v", n, err)
	}
}
