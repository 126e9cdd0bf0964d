package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// alarmPause is how long a warning is not repeated.
const alarmPause = time.Hour

// balanceAlarm warns before accounts run dry, of each thing once in alarmPause.
type balanceAlarm struct {
	log   *slog.Logger
	low   int64 // Stroops.
	clock provisioning.Clock

	mu          sync.Mutex // Passes of the reconciler may overlap.
	poor, unfit time.Time  // When it was said last.
}

// look judges what a look after the channels found; one that was not made says
// nothing.
func (a *balanceAlarm) look(ctx context.Context, deployer string, care provisioning.ChannelCare) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var unfit []string
	for _, c := range care.Channels {
		if c.State() == provisioning.ChannelOutOfUse {
			unfit = append(unfit, c.Address)
		}
	}
	if care.Deployer > 0 && care.Deployer < a.low && a.due(&a.poor) {
		a.log.WarnContext(ctx, "the deployer account runs low: send it lumens before deployments fail", slog.String("account", deployer),
			slog.String("balance", xlm(care.Deployer)), slog.String("low_balance", xlm(a.low)))
	}
	if len(unfit) > 0 && a.due(&a.unfit) {
		a.log.WarnContext(ctx, "channel accounts are out of use: tenant-api channels says why", slog.Any("accounts", unfit))
	}
}

func (a *balanceAlarm) due(last *time.Time) bool {
	now := a.clock.Now()
	if !last.IsZero() && now.Sub(*last) < alarmPause {
		return false
	}
	*last = now
	return true
}
