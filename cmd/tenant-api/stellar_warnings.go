package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// warnInterval is the pause before a warning is repeated.
const warnInterval = time.Hour

// stellarWarner logs a low balance, disabled channel accounts and a newer protocol, each at
// most once per warnInterval.
type stellarWarner struct {
	log       *slog.Logger
	threshold int64 // Stroops.
	clock     clock.Clock

	mu                                sync.Mutex // Reconcile passes can overlap.
	lowBalanceAt, disabledAt, newerAt time.Time  // Times of the last warnings.
}

// checkChannels logs warnings about a channel report. An empty report, from a pass that did not
// reconcile channels, causes none.
func (w *stellarWarner) checkChannels(ctx context.Context, deployer string, report contracts.ChannelReport) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var disabled []string
	for _, c := range report.Channels {
		if c.State() == txlog.ChannelDisabled {
			disabled = append(disabled, c.Address)
		}
	}
	if report.DeployerBalance > 0 && report.DeployerBalance < w.threshold && w.due(&w.lowBalanceAt) {
		w.log.WarnContext(ctx, "the balance of the deployer account is low: send lumens before deployments fail", slog.String("account", deployer),
			slog.Int64("balance_stroops", report.DeployerBalance), slog.Int64("low_balance_stroops", w.threshold))
	}
	if len(disabled) > 0 && w.due(&w.disabledAt) {
		w.log.WarnContext(ctx, "channel accounts are disabled: tenant-api channels shows the reasons", slog.Any("accounts", disabled))
	}
}

// checkProtocol logs a warning when the network's protocol is newer than this program.
func (w *stellarWarner) checkProtocol(ctx context.Context, p contracts.Protocol) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.Newer() && w.due(&w.newerAt) {
		w.log.WarnContext(ctx, "the Stellar network has a newer protocol than this program: install a newer release before deployments fail",
			slog.Int("network_protocol", p.Network), slog.Int("known_protocol", p.Known))
	}
}

func (w *stellarWarner) due(last *time.Time) bool {
	now := w.clock.Now()
	if !last.IsZero() && now.Sub(*last) < warnInterval {
		return false
	}
	*last = now
	return true
}
