package soroban_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
)

// pauseClock adds up the pauses, and takes a hundredth of their time.
type pauseClock struct {
	began  time.Time
	paused atomic.Int64
}

func (c *pauseClock) Now() time.Time { return c.began.Add(time.Duration(c.paused.Load())) }

func (c *pauseClock) Sleep(ctx context.Context, d time.Duration) error {
	c.paused.Add(int64(d))
	select {
	case <-time.After(d / 100):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// TestDeployer_LedgerThatNeverWas: a server that names ledger 4294967294 for applied transactions
// costs one wait when its lies have ended, not one for each tenant.
func TestDeployer_LedgerThatNeverWas(t *testing.T) {
	b := setup(t)
	var lying atomic.Bool
	pauses := &pauseClock{began: time.Now()}
	d := b.through(&lying, func(method string, answer []byte) []byte {
		return changed(t, answer, func(result map[string]any) {
			if method == ask && result["status"] == "SUCCESS" {
				result["latestLedger"], result["ledger"] = 4294967295, 4294967294
			}
		})
	}, func(o *soroban.Options) { o.Clock, o.PollInterval = pauses, 500*time.Millisecond })
	b.deploy(d, b.begin())
	lying.Store(true)
	var runs []provisioning.Run
	for range 4 {
		run := b.begin()
		_, err := d.Deploy(t.Context(), run.Tenant, b.db.TransactionLog(run))
		wantKind(t, err, errs.KindTransient)
		runs = append(runs, run)
	}
	lying.Store(false)
	before := pauses.Now()
	for _, run := range runs {
		b.deploy(d, run)
	}
	if waited := pauses.Now().Sub(before); waited > 60*time.Second {
		t.Errorf("four tenants waited for %s", waited)
	}
	b.wantEachCreatedOnce(5)
}
