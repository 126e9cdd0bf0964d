package retry

import (
	"context"
	"errors"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// Grace is how long work may go on after its caller's context has ended.
type Grace struct {
	AfterStop     time.Duration // After a request to stop.
	AfterDeadline time.Duration // After the caller's deadline: the caller waits.
}

// Detached calls claim, which takes a lease, with a context that ends some time after ctx
// does. So a caller that is stopped between the commit of the claim and its response still
// receives the response and can release the lease. Otherwise the lease would block others
// until it expires.
func Detached(ctx context.Context, clock clock.Clock, grace Grace, claim func(context.Context) error) error {
	if cause := context.Cause(ctx); cause != nil {
		return errs.Wrap(cause, errs.KindCancelled, "claim", "stopped on request before anything was claimed")
	}
	work, end := WithGrace(ctx, clock, grace)
	defer end(nil)
	err := claim(work)
	if errs.KindOf(err) == errs.KindCancelled && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return errs.Wrap(context.Cause(ctx), errs.KindCancelled, "claim", "the time allowed ran out before the registry answered")
	}
	return err
}

// WithGrace returns a context that ends some time after ctx does, or with the function.
func WithGrace(ctx context.Context, clock clock.Clock, grace Grace) (context.Context, context.CancelCauseFunc) {
	work, end := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		limit := grace.AfterStop
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			limit = grace.AfterDeadline
		}
		if clock.Sleep(work, limit) == nil {
			end(context.Cause(ctx))
		}
	})
	return work, func(cause error) {
		stop()
		end(cause)
	}
}
