package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// heldServer answers each call when the test releases it.
type heldServer struct {
	calls chan heldCall
}

type heldCall struct {
	keys   []string
	ctx    context.Context
	answer chan error
}

func newHeldServer() *heldServer { return &heldServer{calls: make(chan heldCall)} }

func (s *heldServer) fetch(ctx context.Context, keys []string) (protocol.GetLedgerEntriesResponse, error) {
	c := heldCall{keys: keys, ctx: ctx, answer: make(chan error)}
	s.calls <- c
	select {
	case err := <-c.answer:
		got := protocol.GetLedgerEntriesResponse{LatestLedger: 7}
		for _, key := range keys {
			got.Entries = append(got.Entries, protocol.LedgerEntryResult{KeyXDR: key, DataXDR: key})
		}
		return got, err
	case <-ctx.Done():
		return protocol.GetLedgerEntriesResponse{}, ctx.Err()
	}
}

// beginRead starts a read and returns a channel for its error.
func beginRead(ctx context.Context, b *entryBatcher, key string) <-chan error {
	done := make(chan error, 1)
	go func() {
		found, ledger, err := b.entries(ctx, []string{key})
		if err == nil && (ledger != 7 || found[key].DataXDR != key) {
			err = fmt.Errorf("ledger %d, found %v", ledger, found)
		}
		done <- err
	}()
	return done
}

func TestEntryBatcher(t *testing.T) {
	t.Parallel()
	t.Run("SendsNextBatchDuringSlowCall", func(t *testing.T) {
		t.Parallel()
		s := newHeldServer()
		b := &entryBatcher{fetch: s.fetch, slowAfter: time.Nanosecond}
		slow := beginRead(t.Context(), b, "slow")
		hung := <-s.calls
		other := beginRead(t.Context(), b, "other")
		(<-s.calls).answer <- nil
		if err := <-other; err != nil {
			t.Error(err)
		}
		hung.answer <- errors.New("late")
		if err := <-slow; err == nil || err.Error() != "late" {
			t.Errorf("%v", err)
		}
	})
	t.Run("CollectsReadsWhileACallIsInFlight", func(t *testing.T) {
		t.Parallel()
		s := newHeldServer()
		b := &entryBatcher{fetch: s.fetch, slowAfter: time.Hour}
		all := []<-chan error{beginRead(t.Context(), b, "first")}
		first := <-s.calls
		for i := range 50 {
			all = append(all, beginRead(t.Context(), b, fmt.Sprint(i)))
		}
		b.waitFor(func() bool { return len(b.queue) == 1 && b.queue[0].callers == 50 })
		first.answer <- nil
		second := <-s.calls
		if len(second.keys) != 50 {
			t.Errorf("%d keys in the second call", len(second.keys))
		}
		second.answer <- nil
		for _, done := range all {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("SendsAFullBatchAtOnce", func(t *testing.T) {
		t.Parallel()
		s := newHeldServer()
		b := &entryBatcher{fetch: s.fetch, slowAfter: time.Hour}
		first := beginRead(t.Context(), b, "first")
		hung := <-s.calls
		var all sync.WaitGroup
		for i := range MaxKeys + 1 {
			all.Go(func() {
				if err := <-beginRead(t.Context(), b, fmt.Sprint(i)); err != nil {
					t.Error(err)
				}
			})
		}
		full := <-s.calls
		if len(full.keys) != MaxKeys {
			t.Errorf("%d keys", len(full.keys))
		}
		full.answer <- nil
		hung.answer <- nil
		(<-s.calls).answer <- nil
		all.Wait()
		if err := <-first; err != nil {
			t.Error(err)
		}
	})
	t.Run("LimitsParallelCalls", func(t *testing.T) {
		t.Parallel()
		s := newHeldServer()
		b := &entryBatcher{fetch: s.fetch, slowAfter: time.Nanosecond}
		var all []<-chan error
		var hung []heldCall
		for i := range maxBatchesInFlight {
			all = append(all, beginRead(t.Context(), b, fmt.Sprint("hung", i)))
			hung = append(hung, <-s.calls)
		}
		for i := range 3 {
			all = append(all, beginRead(t.Context(), b, fmt.Sprint("waits", i)))
		}
		b.waitFor(func() bool { return len(b.queue) == 1 && b.queue[0].callers == 3 && b.slow == maxBatchesInFlight })
		select {
		case c := <-s.calls:
			t.Fatalf("one call too many, of %v", c.keys)
		default:
		}
		hung[0].answer <- nil
		next := <-s.calls
		if len(next.keys) != 3 {
			t.Errorf("%v", next.keys)
		}
		next.answer <- nil
		for _, c := range hung[1:] {
			c.answer <- nil
		}
		for _, done := range all {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("CancelledCallerReturns", func(t *testing.T) {
		t.Parallel()
		s := newHeldServer()
		b := &entryBatcher{fetch: s.fetch, slowAfter: time.Hour}
		ctx, cancel := context.WithCancel(t.Context())
		first := beginRead(ctx, b, "first")
		hung := <-s.calls
		waits := beginRead(ctx, b, "waits")
		b.waitFor(func() bool { return len(b.queue) == 1 })
		stays := beginRead(t.Context(), b, "stays")
		b.waitFor(func() bool { return b.queue[0].callers == 2 })
		cancel()
		for _, done := range []<-chan error{first, waits} {
			if err := <-done; errs.KindOf(err) != errs.KindCancelled {
				t.Errorf("%v", err)
			}
		}
		<-hung.ctx.Done()
		(<-s.calls).answer <- nil
		if err := <-stays; err != nil {
			t.Error(err)
		}
	})
	t.Run("SendsNoAbandonedBatch", func(t *testing.T) {
		t.Parallel()
		s, left := newHeldServer(), make(chan struct{})
		b := &entryBatcher{fetch: s.fetch, slowAfter: time.Hour, window: func(ctx context.Context) error { <-ctx.Done(); <-left; return ctx.Err() }}
		ctx, cancel := context.WithCancel(t.Context())
		first := beginRead(ctx, b, "first")
		b.waitFor(func() bool { return len(b.queue) == 1 })
		cancel()
		if err := <-first; errs.KindOf(err) != errs.KindCancelled {
			t.Errorf("%v", err)
		}
		close(left)
		b.waitFor(func() bool { return len(b.queue) == 0 && b.inFlight == 0 })
	})
}

// waitFor returns when the batcher is in the expected state.
func (b *entryBatcher) waitFor(reached func() bool) {
	for {
		b.mu.Lock()
		ok := reached()
		b.mu.Unlock()
		if ok {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
