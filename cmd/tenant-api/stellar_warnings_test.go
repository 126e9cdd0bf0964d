package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// fakeClock is a clock that a test moves.
type fakeClock struct{ now time.Time }

func (c *fakeClock) Now() time.Time                             { return c.now }
func (c *fakeClock) Sleep(context.Context, time.Duration) error { return nil }

func TestStellarWarner(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	clock := &fakeClock{now: time.Unix(0, 0)} // Unix time 0 is valid.
	warner := &stellarWarner{log: slog.New(slog.NewTextHandler(&log, nil)), threshold: 1_000_000_000, clock: clock}
	const lowBalance, disabled = "is low", "are disabled"
	check := func(name string, report contracts.ChannelReport, texts ...string) {
		t.Helper()
		log.Reset()
		warner.checkChannels(t.Context(), "GDEPLOYER", report)
		for _, w := range texts {
			if !strings.Contains(log.String(), w) {
				t.Errorf("%s: %q is missing in %q", name, w, log.String())
			}
		}
		if n := strings.Count(log.String(), "level=WARN"); len(texts) == 0 && n > 0 || n > 2 {
			t.Errorf("%s: %q", name, log.String())
		}
	}
	broken := contracts.ChannelReport{DeployerBalance: 5_000_000_000, Channels: []txlog.Channel{{Address: "GBROKEN", DisabledReason: "x"}, {Address: "GFIT"}}}
	check("no report", contracts.ChannelReport{})
	check("enough", contracts.ChannelReport{DeployerBalance: 1_000_000_000})
	check("low", contracts.ChannelReport{DeployerBalance: 999_999_999}, lowBalance, "GDEPLOYER", "balance_stroops=999999999", "low_balance_stroops=1000000000")
	clock.now = clock.now.Add(59 * time.Minute)
	check("still low", contracts.ChannelReport{DeployerBalance: 1})
	check("another thing", broken, disabled, "GBROKEN")
	if strings.Contains(log.String(), "GFIT") {
		t.Errorf("a warning names a working channel: %s", log.String())
	}
	clock.now = clock.now.Add(time.Minute)
	check("low for an hour", contracts.ChannelReport{DeployerBalance: 1}, lowBalance)
	check("disabled for a minute", broken)
	clock.now = clock.now.Add(time.Hour)
	broken.DeployerBalance = 7
	check("both", broken, lowBalance, disabled)
	protocol := func(network, known, want int) {
		t.Helper()
		log.Reset()
		warner.checkProtocol(t.Context(), contracts.Protocol{Network: network, Known: known})
		if got := strings.Count(log.String(), "newer protocol"); got != want {
			t.Errorf("protocol %d, known %d: %q", network, known, log.String())
		}
	}
	protocol(0, 28, 0) // Not read yet.
	protocol(28, 28, 0)
	protocol(29, 28, 1)
	protocol(29, 28, 0) // Within the hour.
}
