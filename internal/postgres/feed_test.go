package postgres_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
)

// wholeFeed reads the feed in pages, and checks that positions have no gap and that each chain is in
// order.
func (b fixture) wholeFeed(page int) (all []audit.FeedEvent) {
	b.T.Helper()
	seqs := map[uuid.UUID]int64{}
	for {
		found, err := b.Feed(b.T.Context(), int64(len(all)), page)
		b.Must(err)
		for _, e := range found {
			if e.Position != int64(len(all))+1 {
				b.T.Fatalf("position %d after %d", e.Position, len(all))
			}
			if e.Seq != seqs[e.TenantID]+1 {
				b.T.Fatalf("event %d of %s after event %d", e.Seq, e.TenantID, seqs[e.TenantID])
			}
			seqs[e.TenantID] = e.Seq
			all = append(all, e)
		}
		if len(found) == 0 {
			return all
		}
	}
}

// TestDB_Feed: each event has a position that never changes, also with several writers and readers at once, and an
// open transaction stalls nobody.
func TestDB_Feed(t *testing.T) {
	b := setup(t)
	const writers, each = 6, 25
	var tenants []uuid.UUID
	for i := range writers {
		tenants = append(tenants, b.ClaimNew(postgrestest.Inputs(fmt.Sprintf("Clinic %d", i))).Tenant.ID)
	}
	record := func(ctx context.Context, id uuid.UUID) error {
		return b.Record(ctx, audit.Event{TenantID: id, Action: "test.event", Outcome: audit.OutcomeRejected, Caller: audit.Caller{Kind: audit.CallerProcess}})
	}
	// Its event is in its chain, and not committed.
	open, err := b.Pool().Begin(t.Context())
	b.Must(err)
	defer func() { _ = open.Rollback(t.Context()) }()
	stalled := b.ClaimNew(postgrestest.Inputs("Stalled")).Tenant.ID
	_, err = open.Exec(t.Context(), `SELECT audit_append($1, 'test.open', 'DONE', '{}', '{}')`, stalled)
	b.Must(err)

	var readers, writing sync.WaitGroup
	const want = writers*(each+1) + 1
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	seen := make([]map[int64]audit.FeedEvent, 3)
	for i := range seen {
		seen[i] = map[int64]audit.FeedEvent{}
		readers.Go(func() {
			for after := int64(0); after < want; {
				found, err := b.Feed(ctx, after, 7)
				if err != nil {
					t.Errorf("reader %d after position %d: %v", i, after, err)
					return
				}
				for _, e := range found {
					if e.Position != after+1 {
						t.Errorf("reader %d got position %d after %d", i, e.Position, after)
					}
					after, seen[i][e.Position] = e.Position, e
				}
			}
		})
	}
	for _, id := range tenants {
		writing.Go(func() {
			for range each {
				if err := record(t.Context(), id); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	readers.Wait()
	all := b.wholeFeed(100)
	if len(all) != want {
		t.Errorf("%d events in the feed, want %d", len(all), want)
	}
	for i, own := range seen {
		if len(own) != len(all) {
			t.Errorf("reader %d saw %d of %d events", i, len(own), len(all))
		}
		for position, e := range own {
			if all[position-1] != e {
				t.Errorf("reader %d saw %+v at %d, which is %+v now", i, e, position, all[position-1])
			}
		}
	}
	b.Must(open.Commit(t.Context()))
	if now := b.wholeFeed(1000); len(now) != len(all)+1 || now[len(all)].TenantID != stalled || now[len(all)].Action != "test.open" {
		t.Errorf("%+v", now[len(all):])
	}
}

// TestDB_Feed_LockedEvents: events that a purge is changing get their positions after it, and those of
// other tenants meanwhile.
func TestDB_Feed_LockedEvents(t *testing.T) {
	b := setup(t)
	locked, other := b.ClaimNew(postgrestest.Inputs("Locked")).Tenant.ID, b.ClaimNew(postgrestest.Inputs("Other")).Tenant.ID
	tx, err := b.Pool().Begin(t.Context())
	b.Must(err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	_, err = tx.Exec(t.Context(), `SELECT FROM audit_events WHERE tenant_id = $1 FOR UPDATE`, locked)
	b.Must(err)
	if all := b.wholeFeed(10); len(all) != 1 || all[0].TenantID != other {
		t.Errorf("%+v", all)
	}
	b.Must(tx.Rollback(t.Context()))
	if all := b.wholeFeed(10); len(all) != 2 || all[1].TenantID != locked {
		t.Errorf("%+v", all)
	}
}

// TestDB_Feed_Limit: a batch has whole chains up to its events, also when their times are not in order.
func TestDB_Feed_Limit(t *testing.T) {
	b := setup(t)
	id := b.ClaimNew(postgrestest.Inputs("Clinic")).Tenant.ID
	for range 20 {
		b.Must(b.Record(t.Context(), audit.Event{TenantID: id, Action: "test.event", Outcome: audit.OutcomeRejected, Caller: audit.Caller{Kind: audit.CallerProcess}}))
	}
	b.Exec(`UPDATE audit_events SET at = at - seq * interval '1 hour'`) // The newest is the oldest by its time.
	for given := int64(1); given > 0; {
		given = value[int64](b, `SELECT audit_number(3)`)
	}
	if all := b.wholeFeed(4); len(all) != 21 {
		t.Errorf("%d events", len(all))
	}
	if n := value[int](b, `SELECT count(*) FROM audit_events WHERE position <> seq`); n != 0 {
		t.Errorf("%d events have another order than their chain", n)
	}
	if after := time.Since(b.wholeFeed(100)[0].At); after < time.Hour {
		t.Errorf("the times were not changed: %v", after)
	}
}

// TestDB_Feed_Backlog: a feed that was not read for long is read in the time of a request.
func TestDB_Feed_Backlog(t *testing.T) {
	b := setup(t)
	const events = 30_000
	b.Exec(`DO $$ BEGIN FOR i IN 1..` + strconv.Itoa(events) + ` LOOP PERFORM audit_append('00000000-0000-0000-0000-000000000000', 'test.event', 'REJECTED', '{}', '{}'); END LOOP; END $$`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for given := 0; given < events; given += 10_000 {
		_, err := b.Feed(ctx, 0, 1)
		b.Must(err)
	}
	if n := value[int](b, `SELECT count(*) FROM audit_events WHERE position IS NULL`); n != 0 {
		t.Errorf("%d events have no position", n)
	}
	if n := value[int](b, `SELECT count(*) FROM audit_events WHERE position <> seq`); n != 0 {
		t.Errorf("%d events have another order than their chain", n)
	}
}
