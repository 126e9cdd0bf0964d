package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// timeLimitError is why an operation ended whose time was up. Without it, the end of
// the time would look like the fault of whatever was waited for.
type timeLimitError struct {
	operation string // As in the timeouts attribute: "create".
	limit     time.Duration
}

func (l timeLimitError) Error() string {
	return fmt.Sprintf("the time allowed by timeouts.%s (%v) ran out", l.operation, l.limit)
}

// Unwrap makes it what it is to everybody who does not know the type.
func (timeLimitError) Unwrap() error { return context.DeadlineExceeded }

// within bounds an operation.
func within(ctx context.Context, operation string, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, timeLimitError{operation, limit})
}

// limit reads one of the time limits; of is the method of given that reads it. The
// library writes a line into the log for each that is not there, so it is not asked
// where none is.
func limit(ctx context.Context, given timeouts.Value, of func(context.Context, time.Duration) (time.Duration, diag.Diagnostics), otherwise time.Duration) (time.Duration, diag.Diagnostics) {
	if given.IsNull() || given.IsUnknown() {
		return otherwise, nil
	}
	return of(ctx, otherwise)
}
