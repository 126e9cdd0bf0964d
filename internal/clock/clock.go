// Package clock reads the time and sleeps, so that tests can control both.
package clock

import (
	"context"
	"time"
)

// Clock is the source of time; tests pass a fake one.
type Clock interface {
	Now() time.Time
	// Sleep waits for d or until ctx is done, and then returns ctx's cause.
	Sleep(ctx context.Context, d time.Duration) error
}

// System is the real time.
type System struct{}

// Now is the time of day.
func (System) Now() time.Time { return time.Now() }

// Sleep waits for d or for the end of ctx.
func (System) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
