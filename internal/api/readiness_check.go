package api

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
)

// runCheck runs one check. It does not wait for a check that ignores its context. The error is only
// logged.
func (s *Server) runCheck(ctx context.Context, check Check) monitoring.Check {
	started := s.opts.Clock.Now()
	result := make(chan error, 1)
	go func() {
		defer func() {
			if panicValue := recover(); panicValue != nil {
				result <- fmt.Errorf("panic: %v", panicValue)
			}
		}()
		result <- check.Run(ctx)
	}()
	var err error
	select {
	case err = <-result:
	case <-ctx.Done():
		err = ctx.Err()
	}
	now := s.opts.Clock.Now()
	checked := monitoring.Check{Name: check.Name, Status: monitoring.CheckOK, CheckedAt: now, Since: now, Took: now.Sub(started)}
	if err != nil {
		s.opts.Logger.Warn("readiness check failed", slog.String("check", check.Name), slog.Any("error", err))
		checked.Status = monitoring.CheckUnavailable
	}
	return checked
}
