package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// alarmPause is how long a warning about a balance is not repeated.
const alarmPause = time.Hour

// balanceAlarm warns before accounts run dry.
type balanceAlarm struct {
	log  *slog.Logger
	low  int64 // Stroops.
	last time.Time
}

// look judges what a look after the channels found; one that was not made says
// nothing. Passes do not overlap in it.
func (a *balanceAlarm) look(ctx context.Context, deployer string, care provisioning.ChannelCare) {
	var unfit []string
	for _, c := range care.Channels {
		if c.State() == provisioning.ChannelOutOfUse {
			unfit = append(unfit, c.Address)
		}
	}
	low := care.Deployer > 0 && care.Deployer < a.low
	if !low && len(unfit) == 0 || time.Since(a.last) < alarmPause {
		return
	}
	a.last = time.Now()
	if low {
		a.log.WarnContext(ctx, "the deployer account runs low: send it lumens before deployments fail", slog.String("account", deployer),
			slog.String("balance", xlm(care.Deployer)), slog.String("low_balance", xlm(a.low)))
	}
	if len(unfit) > 0 {
		a.log.WarnContext(ctx, "channel accounts are out of use: tenant-api channels says why", slog.Any("accounts", unfit))
	}
}
