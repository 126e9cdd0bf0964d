package main

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// stopped is a clock that a test moves.
type stopped struct{ now time.Time }

func (c *stopped) Now() time.Time                             { return c.now }
func (c *stopped) Sleep(context.Context, time.Duration) error { return nil }

func TestBalanceAlarm(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	clock := &stopped{now: time.Unix(0, 0)} // The zero time is a time like any other.
	a := &balanceAlarm{log: slog.New(slog.NewTextHandler(&log, nil)), low: 1_000_000_000, clock: clock}
	const poor, unfit = "runs low", "out of use"
	look := func(what string, care provisioning.ChannelCare, words ...string) {
		t.Helper()
		log.Reset()
		a.look(t.Context(), "GDEPLOYER", care)
		for _, w := range words {
			if !strings.Contains(log.String(), w) {
				t.Errorf("%s: no word of %q in %q", what, w, log.String())
			}
		}
		if n := strings.Count(log.String(), "level=WARN"); len(words) == 0 && n > 0 || n > 2 {
			t.Errorf("%s: %q", what, log.String())
		}
	}
	broken := provisioning.ChannelCare{Deployer: 5_000_000_000, Channels: []provisioning.Channel{{Address: "GBROKEN", OutOfUse: "x"}, {Address: "GFIT"}}}
	look("nobody looked", provisioning.ChannelCare{})
	look("enough", provisioning.ChannelCare{Deployer: 1_000_000_000})
	look("low", provisioning.ChannelCare{Deployer: 999_999_999}, poor, "GDEPLOYER", "99.9999999 XLM", "low_balance=\"100 XLM\"")
	clock.now = clock.now.Add(59 * time.Minute)
	look("still low", provisioning.ChannelCare{Deployer: 1})
	look("another thing", broken, unfit, "GBROKEN")
	if strings.Contains(log.String(), "GFIT") {
		t.Errorf("a fit channel is warned of: %s", log.String())
	}
	clock.now = clock.now.Add(time.Minute)
	look("low for an hour", provisioning.ChannelCare{Deployer: 1}, poor)
	look("out of use for a minute", broken)
	clock.now = clock.now.Add(time.Hour)
	broken.Deployer = 7
	look("both", broken, poor, unfit)
}
