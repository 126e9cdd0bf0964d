package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// timeoutError is why an operation ended whose time was up. Without it, the end of
// the time would look like the fault of whatever was waited for.
type timeoutError struct {
	operation string // As in the timeouts attribute: "create".
	limit     time.Duration
}

func (e timeoutError) Error() string {
	return fmt.Sprintf("the time allowed by timeouts.%s (%v) ran out", e.operation, e.limit)
}

// Unwrap makes it what it is to everybody who does not know the type.
func (timeoutError) Unwrap() error { return context.DeadlineExceeded }

// withTimeout bounds an operation.
func withTimeout(ctx context.Context, operation string, timeout time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, timeout, timeoutError{operation, timeout})
}

// timeoutFor reads one of the time limits; of is the method of given that reads it. The
// library writes a line into the log for each that is not there, so it is not asked
// where none is.
func timeoutFor(ctx context.Context, configured timeouts.Value, read func(context.Context, time.Duration) (time.Duration, diag.Diagnostics), fallback time.Duration) (time.Duration, diag.Diagnostics) {
	if configured.IsNull() || configured.IsUnknown() {
		return fallback, nil
	}
	return read(ctx, fallback)
}
