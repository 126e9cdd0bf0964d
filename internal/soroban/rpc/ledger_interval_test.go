package rpc

import (
	"testing"
	"time"
)

func TestLedgerInterval(t *testing.T) {
	t.Parallel()
	const most = 500 * time.Millisecond
	start := time.Unix(1_700_000_000, 0)
	t.Run("StartsUnknown", func(t *testing.T) {
		t.Parallel()
		var x ledgerInterval
		x.observe(7, start)
		if got := x.timeOf(0.5, most); got != most {
			t.Errorf("%v", got)
		}
	})
	t.Run("HalfALedgerUpToConfiguredInterval", func(t *testing.T) {
		t.Parallel()
		for each, want := range map[time.Duration]time.Duration{
			5 * time.Second: most, time.Second: most, 100 * time.Millisecond: 50 * time.Millisecond, time.Millisecond: minPollInterval,
		} {
			var x ledgerInterval
			for i := range 20 {
				x.observe(uint32(100+3*i), start.Add(time.Duration(3*i)*each)) // Not every ledger is seen.
			}
			if got := x.timeOf(0.5, most); got != want {
				t.Errorf("%v a ledger: %v, want %v", each, got, want)
			}
		}
	})
	t.Run("IgnoresServersBehind", func(t *testing.T) {
		t.Parallel()
		var x ledgerInterval
		now := start
		for ledger := uint32(100); ledger < 140; ledger += 2 {
			now = now.Add(10 * time.Second)
			x.observe(ledger, now)
			x.observe(ledger-3, now.Add(time.Millisecond)) // Behind.
			x.observe(ledger+1, now.Add(2*time.Millisecond))
		}
		if got := x.timeOf(0.5, most); got != most {
			t.Errorf("%v", got)
		}
	})
	t.Run("ForgetsALedgerThatNeverWas", func(t *testing.T) {
		t.Parallel()
		var x ledgerInterval
		x.observe(100, start)
		x.observe(200_000, start.Add(time.Second))
		for i := range 20 {
			x.observe(uint32(101+i), start.Add(time.Duration(6+5*i)*time.Second))
		}
		if got := x.timeOf(0.5, most); got != most {
			t.Errorf("polled every %v", got)
		}
	})
}
