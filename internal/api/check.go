package api

import (
	"context"
	"fmt"
	"log/slog"
)

// check asks one part whether it works. One that does not listen to the context
// is not waited for.
func (s *Server) check(ctx context.Context, part Check) checkView {
	answer := make(chan error, 1)
	go func() {
		defer func() {
			if cause := recover(); cause != nil {
				answer <- fmt.Errorf("panic: %v", cause)
			}
		}()
		answer <- part.Run(ctx)
	}()
	var err error
	select {
	case err = <-answer:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		s.opts.Logger.Warn("part is not ready", slog.String("part", part.Name), slog.Any("error", err))
		return checkView{part.Name, "unavailable"}
	}
	return checkView{part.Name, "ok"}
}
