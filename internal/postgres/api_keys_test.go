package postgres_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func (b fixture) newKey(name string, ttl time.Duration) access.Key {
	b.T.Helper()
	key, _, err := access.NewKey(access.KeyRequest{Name: name, Scopes: []access.Scope{access.ScopeRead, access.ScopePurge}, TTL: ttl, RateLimit: 7, OnlyMetadata: tenant.MetadataFilter{"region": "eu"}}, time.Now().Truncate(time.Microsecond))
	if err != nil {
		b.T.Fatal(err)
	}
	return key
}

func (b fixture) createKey(name string, ttl time.Duration) access.Key {
	b.T.Helper()
	key := b.newKey(name, ttl)
	if err := b.APIKeys.Create(b.T.Context(), key); err != nil {
		b.T.Fatal(err)
	}
	return key
}

// registryEvents returns the key events of the platform's audit log.
func (b fixture) registryEvents() []audit.Event {
	b.T.Helper()
	events, err := b.Events(b.T.Context(), uuid.Nil, 0, 100)
	if err != nil {
		b.T.Fatal(err)
	}
	return events
}

func TestAPIKeyStore_Create(t *testing.T) {
	t.Parallel()
	t.Run("StoresEveryField", func(t *testing.T) {
		b := setup(t)
		want := b.createKey("ci", time.Hour)
		got, err := b.APIKeys.FindByPrefix(t.Context(), want.Prefix)
		if err != nil {
			t.Fatal(err)
		}
		if got.ID != want.ID || got.Name != "ci" || got.Prefix != want.Prefix || got.Hash != want.Hash || len(got.Scopes) != 2 || got.RateLimit != 7 || !maps.Equal(got.OnlyMetadata, want.OnlyMetadata) ||
			got.Scopes[1] != access.ScopePurge || !got.CreatedAt.Equal(want.CreatedAt) || !got.ExpiresAt.Equal(want.ExpiresAt) {
			t.Errorf("%+v, want %+v", got, want)
		}
		if !got.RevokedAt.IsZero() || !got.LastUsedAt.IsZero() {
			t.Errorf("a new key was used or revoked: %+v", got)
		}
	})
	t.Run("WritesAuditEvent", func(t *testing.T) {
		b := setup(t)
		ctx := audit.WithCaller(t.Context(), audit.Caller{Kind: audit.CallerCommand, Name: "ops"})
		key := b.newKey("ci", time.Hour)
		if err := b.APIKeys.Create(ctx, key); err != nil {
			t.Fatal(err)
		}
		log := b.registryEvents()
		if len(log) != 1 || log[0].Action != access.AuditCreateKey || log[0].Outcome != audit.OutcomeDone || log[0].Caller.Name != "ops" ||
			log[0].Detail["prefix"] != key.Prefix || log[0].Detail["name"] != "ci" || log[0].Detail["expiresAt"] == nil {
			t.Errorf("%+v", log)
		}
	})
	t.Run("RejectsNameInUseAndWritesNothing", func(t *testing.T) {
		b := setup(t)
		b.createKey("ci", 0)
		err := b.APIKeys.Create(t.Context(), b.newKey("CI", 0))
		postgrestest.WantKind(t, err, errs.KindConflict)
		if fields := errs.FieldsOf(err); len(fields) != 1 || fields[0].Field != "name" {
			t.Errorf("fields %v", fields)
		}
		if n := value[int](b, `SELECT count(*) FROM api_keys`); n != 1 || len(b.registryEvents()) != 1 {
			t.Errorf("%d keys, log %+v", n, b.registryEvents())
		}
	})
	t.Run("AllowsNameOfRevokedKey", func(t *testing.T) {
		b := setup(t)
		first := b.createKey("ci", 0)
		if _, err := b.APIKeys.Revoke(t.Context(), "ci"); err != nil {
			t.Fatal(err)
		}
		second := b.createKey("ci", 0)
		got, err := b.APIKeys.Revoke(t.Context(), "ci")
		if err != nil || got.ID != second.ID {
			t.Errorf("revoked %s, %v; want %s and not %s", got.ID, err, second.ID, first.ID)
		}
	})
}

func TestAPIKeyStore_FindByPrefix(t *testing.T) {
	b := setup(t)
	b.createKey("ci", 0)
	_, err := b.APIKeys.FindByPrefix(t.Context(), "aaaaaaaaaaaa")
	postgrestest.WantKind(t, err, errs.KindNotFound)
}

func TestAPIKeyStore_List(t *testing.T) {
	b := setup(t)
	if keys, err := b.APIKeys.List(t.Context()); err != nil || len(keys) != 0 {
		t.Errorf("%v, %v", keys, err)
	}
	older, newer := b.createKey("older", 0), b.createKey("newer", time.Hour)
	if _, err := b.APIKeys.Revoke(t.Context(), "older"); err != nil {
		t.Fatal(err)
	}
	keys, err := b.APIKeys.List(t.Context())
	if err != nil || len(keys) != 2 || keys[0].ID != newer.ID || keys[1].ID != older.ID || keys[1].RevokedAt.IsZero() || !keys[0].RevokedAt.IsZero() {
		t.Errorf("%+v, %v", keys, err)
	}
}

func TestAPIKeyStore_Revoke(t *testing.T) {
	t.Parallel()
	t.Run("ByIDPrefixAndName", func(t *testing.T) {
		b := setup(t)
		for name, refOf := range map[string]func(access.Key) string{
			"id": func(k access.Key) string { return k.ID.String() }, "prefix": func(k access.Key) string { return k.Prefix },
			"name": func(access.Key) string { return "NAME" },
		} {
			key := b.createKey(name, 0)
			got, err := b.APIKeys.Revoke(t.Context(), refOf(key))
			if err != nil || got.ID != key.ID || got.RevokedAt.IsZero() {
				t.Errorf("by %s: %+v, %v", name, got, err)
			}
		}
	})
	t.Run("RepeatedRevokeWritesOneEvent", func(t *testing.T) {
		b := setup(t)
		key := b.createKey("ci", 0)
		first, err := b.APIKeys.Revoke(t.Context(), key.Prefix)
		if err != nil {
			t.Fatal(err)
		}
		again, err := b.APIKeys.Revoke(t.Context(), key.ID.String())
		if err != nil || !again.RevokedAt.Equal(first.RevokedAt) {
			t.Errorf("%+v, %v", again, err)
		}
		log := b.registryEvents()
		if len(log) != 2 || log[1].Action != access.AuditRevokeKey || log[1].Detail["prefix"] != key.Prefix {
			t.Errorf("%+v", log)
		}
	})
	t.Run("RejectsUnknownAndRevokedNames", func(t *testing.T) {
		b := setup(t)
		b.createKey("ci", 0)
		if _, err := b.APIKeys.Revoke(t.Context(), "ci"); err != nil {
			t.Fatal(err)
		}
		for _, refOf := range []string{"ci", "nobody", uuid.NewString(), ""} {
			_, err := b.APIKeys.Revoke(t.Context(), refOf)
			postgrestest.WantKind(t, err, errs.KindNotFound)
		}
	})
}

func TestAPIKeyStore_RecordUse(t *testing.T) {
	b := setup(t)
	key := b.createKey("ci", 0)
	used := func() time.Time {
		t.Helper()
		if err := b.APIKeys.RecordUse(t.Context(), key.ID); err != nil {
			t.Fatal(err)
		}
		got, err := b.APIKeys.FindByPrefix(t.Context(), key.Prefix)
		if err != nil {
			t.Fatal(err)
		}
		return got.LastUsedAt
	}
	first := used()
	if first.IsZero() {
		t.Error("the first use was not recorded")
	}
	if again := used(); !again.Equal(first) {
		t.Error("a second use in the same minute was recorded")
	}
	b.Exec(`UPDATE api_keys SET last_used_at = last_used_at - interval '1 minute'`)
	if later := used(); !later.After(first) {
		t.Errorf("a use after one minute was not recorded: %v, then %v", first, later)
	}
}

func TestAPIKeyStore_FindRevoked(t *testing.T) {
	b := setup(t)
	stays, leaves, unknown := b.createKey("stays", time.Hour), b.createKey("leaves", time.Hour), uuid.New()
	if _, err := b.APIKeys.Revoke(t.Context(), "leaves"); err != nil {
		t.Fatal(err)
	}
	for range b.Pool().Config().MaxConns { // It does not wait for these.
		conn, err := b.Pool().Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
	}
	got, err := b.APIKeys.FindRevoked(t.Context(), []uuid.UUID{stays.ID, leaves.ID, unknown})
	if err != nil || len(got) != 2 || slices.Contains(got, stays.ID) {
		t.Errorf("%v, %v", got, err)
	}
	if err := b.CheckWritable(t.Context()); err != nil {
		t.Error(err)
	}
}
