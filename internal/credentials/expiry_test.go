package credentials_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
)

// fakeExpiries is a store of logins that expire some time after the start. It cannot be
// read while it is down.
type fakeExpiries struct {
	mu       sync.Mutex
	began    time.Time
	expire   []time.Duration
	down     bool
	count    int64           // Of the reported dropped ones.
	dropped  []time.Duration // When each was dropped.
	lookedAt []time.Duration
}

func (f *fakeExpiries) NextExpiry(_ context.Context, limit time.Duration) (time.Duration, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Since(f.began)
	f.lookedAt = append(f.lookedAt, now)
	if f.down {
		return 0, errors.New("down")
	}
	for _, at := range f.expire {
		limit = min(limit, at-now)
	}
	return max(limit, 0), nil
}

func (f *fakeExpiries) DropExpiredLogins(context.Context, int) (n int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return 0, errors.New("down")
	}
	now := time.Since(f.began)
	f.expire = slices.DeleteFunc(f.expire, func(at time.Duration) bool {
		if at > now {
			return false
		}
		f.dropped = append(f.dropped, now)
		n++
		return true
	})
	return n, nil
}

func TestEndExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		store := &fakeExpiries{began: time.Now(), expire: []time.Duration{7 * time.Second, 61 * time.Second, 62500 * time.Millisecond}}
		done := make(chan struct{})
		go func() {
			defer close(done)
			credentials.EndExpired(ctx, store, nil, func(n int64, err error) {
				store.mu.Lock()
				defer store.mu.Unlock()
				store.count += n
				if err != nil && !store.down {
					t.Error(err)
				}
			})
		}()
		after := func(pause time.Duration, check func()) {
			time.Sleep(pause) // Fake time.
			store.mu.Lock()
			defer store.mu.Unlock()
			check()
		}
		after(65*time.Second, func() {
			if want := []time.Duration{7 * time.Second, 61 * time.Second, 62500 * time.Millisecond}; !slices.Equal(store.dropped, want) || store.count != 3 {
				t.Errorf("%d ended, at %v, want %v", store.count, store.dropped, want)
			}
			store.down, store.lookedAt = true, nil
		})
		after(time.Minute, func() { // The database was away: no busy loop, and it goes on afterwards.
			if n := len(store.lookedAt); n > 5 {
				t.Errorf("%d looks in a minute", n)
			}
			store.down, store.expire = false, []time.Duration{time.Since(store.began) + 20*time.Second}
		})
		after(30*time.Second, func() {
			if store.count != 4 {
				t.Errorf("%d were dropped", store.count)
			}
		})
		stop()
		<-done
	})
}
