package passwordhash_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/passwordhash"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

const password = "correct horse battery staple"

func TestHash(t *testing.T) {
	t.Parallel()

	t.Run("HashContainsParameters", func(t *testing.T) {
		t.Parallel()
		one, err := passwordhash.Hash(t.Context(), password)
		if err != nil || !strings.HasPrefix(one, "$argon2id$v=19$m=65536,t=3,p=4$") || len(one) > 255 {
			t.Fatalf("%q, %v", one, err)
		}
		two, err := passwordhash.Hash(t.Context(), password)
		if err != nil || one == two {
			t.Errorf("two hashes have the same salt: %v", err)
		}
		if !postgrestest.Verifies(one, password) || !postgrestest.Verifies(two, password) || postgrestest.Verifies(one, password+" ") {
			t.Error("a wrong password verifies, or the correct one does not")
		}
		longest, err := passwordhash.Hash(t.Context(), tenant.Password(strings.Repeat("ä", tenant.MaxPassword)))
		if err != nil || len(longest) != len(one) {
			t.Errorf("%q, %v", longest, err)
		}
	})

	t.Run("EmptyInput", func(t *testing.T) {
		t.Parallel()
		if hash, err := passwordhash.Hash(t.Context(), ""); hash != "" || err != nil {
			t.Errorf("%q, %v", hash, err)
		}
	})

	t.Run("LimitsConcurrentHashes", func(t *testing.T) { // Not parallel: hashing is limited per process.
		unblock := passwordhash.Block()
		expiring, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := passwordhash.Hash(expiring, password); errs.KindOf(err) != errs.KindTransient {
			t.Errorf("%v", err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		_, err := passwordhash.Hash(ctx, password)
		postgrestest.WantKind(t, err, errs.KindCancelled)
		unblock()
		if hash, err := passwordhash.Hash(ctx, password); hash != "" || errs.KindOf(err) != errs.KindCancelled {
			t.Errorf("a hash for a caller that is gone: %q, %v", hash, err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, err := passwordhash.Hash(t.Context(), password); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})

	t.Run("LimitsWaitingRequests", func(t *testing.T) { // Not parallel: hashing is limited per process.
		unblock := passwordhash.Block()
		ctx, stop := context.WithCancel(t.Context())
		request := passwordhash.LimitWait(ctx)
		var wg sync.WaitGroup
		waits := func(ctx context.Context) {
			wg.Go(func() {
				_, err := passwordhash.Hash(ctx, password)
				if errs.KindOf(err) != errs.KindCancelled { // It waited until it was stopped.
					t.Errorf("%v", err)
				}
			})
		}
		for range passwordhash.MaxWaiting {
			waits(request)
		}
		passwordhash.WaitForWaiting(t, passwordhash.MaxWaiting)
		_, err := passwordhash.Hash(request, password)
		postgrestest.WantKind(t, err, errs.KindTransient)
		if !strings.Contains(errs.SafeMessage(err), "hashes passwords, and 8 more requests with a password wait, its limit; nothing was changed, try again") {
			t.Errorf("%v", err)
		}
		for range 5 { // A command or an apply waits.
			waits(ctx)
		}
		passwordhash.WaitForWaiting(t, passwordhash.MaxWaiting)
		stop()
		wg.Wait()
		passwordhash.WaitForWaiting(t, 0)
		unblock()
	})
}
