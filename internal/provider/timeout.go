package provider

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// timeoutError is the cause of a context that reached the operation's timeout. Without
// it, a timeout would look like an error of the called service.
type timeoutError struct {
	operation string // As in the timeouts attribute: "create".
	limit     time.Duration
}

func (e timeoutError) Error() string {
	return fmt.Sprintf("the time allowed by timeouts.%s (%v) ran out", e.operation, e.limit)
}

// in names the setting in a message about the end of the time; others are replaced.
func (e timeoutError) in(message string) string {
	const unnamed = "the time allowed ran out"
	if strings.Contains(message, unnamed) {
		return strings.Replace(message, unnamed, e.Error(), 1)
	}
	return e.Error()
}

// Unwrap makes errors.Is(err, context.DeadlineExceeded) true.
func (timeoutError) Unwrap() error { return context.DeadlineExceeded }

// withTimeout limits the duration of an operation.
func withTimeout(ctx context.Context, operation string, timeout time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, timeout, timeoutError{operation, timeout})
}

// timeoutFor returns a configured timeout or the fallback; read is the method of configured
// that reads it. The library logs a line for each missing timeout, so it is called only if
// the block exists.
func timeoutFor(ctx context.Context, configured timeouts.Value, read func(context.Context, time.Duration) (time.Duration, diag.Diagnostics), fallback time.Duration) (time.Duration, diag.Diagnostics) {
	if configured.IsNull() || configured.IsUnknown() {
		return fallback, nil
	}
	return read(ctx, fallback)
}
