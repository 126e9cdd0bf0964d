package provider

import (
	"context"
	"fmt"
	"time"
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
