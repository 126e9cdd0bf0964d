// Command tenant-api is the companion REST API of the provider: the same
// provisioning over HTTP, for administrators and other systems, from one binary
// and one PostgreSQL. Run "tenant-api help" for what it can do.
//
// This package has flags, wiring and shutdown; what the commands do is done in
// internal/.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/buildinfo"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// version is set by the release build.
var version = ""

// apiVersion is that of the API, which its OpenAPI document names: it changes with
// the calls, and not with each build.
const apiVersion = "1.0.0"

// The exit codes.
const (
	exitOK       = 0
	exitFailed   = 1 // What was asked for did not succeed.
	exitUsage    = 2 // The command line or the settings cannot be understood.
	exitFindings = 3 // A check has found something.
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once: nothing is lost by that, it only
	// takes others a few seconds to find out.
	context.AfterFunc(ctx, stop)

	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	ctx = audit.WithCaller(ctx, audit.Caller{Kind: audit.CallerCommand, Name: fmt.Sprintf("%.60s/uid %d", host, os.Getuid())})
	root := newRoot(config.Environment)
	root.SetArgs(args)
	return exitStatus(root.ExecuteContext(ctx))
}

// exitError is an error that has been told to the user already.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// usageError is an error of the command line.
type usageError struct{ error }

func (m usageError) Unwrap() error { return m.error }

// exitStatus tells the user what went wrong and gives the exit code for it.
func exitStatus(err error) int {
	var (
		exitErr     exitError
		usageErr    usageError
		settingErrs = config.ValidationErrors(err)
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exitErr):
		return exitErr.code
	case len(settingErrs) > 0:
		fmt.Fprintln(os.Stderr, "tenant-api: these settings cannot be used:")
		printed := map[string]bool{}
		for _, f := range settingErrs {
			if !printed[f.Error()] { // Two groups of settings can share one.
				fmt.Fprintln(os.Stderr, "  -", f)
			}
			printed[f.Error()] = true
		}
		return exitUsage
	case errors.As(err, &usageErr):
		fmt.Fprintf(os.Stderr, "tenant-api: %v\nRun tenant-api help for what it can do.\n", err)
		return exitUsage
	}
	fmt.Fprintln(os.Stderr, "tenant-api:", userMessage(err))
	if errs.KindOf(err) == errs.KindInvalid {
		return exitUsage
	}
	return exitFailed
}

// userMessage is what a person is shown of an error: the words that were written for
// people, or the whole of an error that is none of ours, such as a port in use.
func userMessage(err error) string {
	var domainErr *errs.Error
	if errors.As(err, &domainErr) {
		return errs.SafeMessage(err)
	}
	return err.Error()
}

func buildVersion() string { return buildinfo.Version(version) }

func versionLine() string {
	return fmt.Sprintf("tenant-api %s (%s, %s/%s)", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
