package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing/export"
)

// untraced are the commands without a span of their own: servers, whose requests and jobs have spans, and
// what runs often or does nothing to tenants.
var untraced = []string{"serve", "worker", "healthcheck", "help", "version", "completion"}

// startTraces sets up traces for this process, and begins the span of its command, in the trace that the
// variable TRACEPARENT names if there is one. end ends it with the command's error, and exports what is left.
// Errors in the settings are reported by read, with those of all other settings.
func (a *cli) startTraces(ctx context.Context, root *cobra.Command, args []string) (_ context.Context, end func(error)) {
	settings, err := config.ReadTracing(a.source)
	stop := func() {}
	if err == nil {
		stop, err = export.Start(ctx, export.Options{Tracing: settings, Program: "tenant-api", Version: buildVersion(), Logger: a.logger})
	}
	if err != nil {
		a.traceErr = err
		return ctx, func(error) {}
	}
	command, _, err := root.Find(args)
	if err != nil || slices.Contains(untraced, command.Name()) || strings.HasPrefix(command.Name(), "__") {
		return ctx, func(error) { stop() }
	}
	ctx, span := tracing.Continue(ctx, a.source(config.Traceparent), tracing.Internal, command.CommandPath())
	return ctx, func(err error) {
		var (
			findings exitError
			usage    usageError
		)
		switch {
		case errors.As(err, &findings):
			span.End(nil) // A check with findings has done its work.
		case errors.As(err, &usage):
			span.Fail("usage")
		default:
			span.End(err)
		}
		stop()
	}
}

// logger returns the log of the command, or one by the environment before there is one.
func (a *cli) logger() *slog.Logger {
	if log := a.log.Load(); log != nil {
		return log
	}
	l, _ := config.ReadLog(a.source) // The command that needs the log reports an error.
	return newLogger(l)
}
