package api

import (
	"context"
	"fmt"
	"log/slog"
)

// runCheck runs one check. It does not wait for a check that ignores its context.
func (s *Server) runCheck(ctx context.Context, check Check) checkView {
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
	if err != nil {
		s.opts.Logger.Warn("readiness check failed", slog.String("check", check.Name), slog.Any("error", err))
		return checkView{check.Name, "unavailable"}
	}
	return checkView{check.Name, "ok"}
}
