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

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/buildinfo"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
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
	exitMisused  = 2 // The command line or the settings cannot be understood.
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
	ctx = provisioning.WithCaller(ctx, provisioning.Caller{Kind: provisioning.CallerCommand, Name: fmt.Sprintf("%.60s/uid %d", host, os.Getuid())})
	root := newRoot(config.Environment)
	root.SetArgs(args)
	return status(root.ExecuteContext(ctx))
}

// exitError is an error that has been told to the user already.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// misuse is an error of the command line.
type misuse struct{ error }

func (m misuse) Unwrap() error { return m.error }

// status tells the user what went wrong and gives the exit code for it.
func status(err error) int {
	var (
		exit   exitError
		wrong  misuse
		faults = config.Faults(err)
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		return exit.code
	case len(faults) > 0:
		fmt.Fprintln(os.Stderr, "tenant-api: these settings cannot be used:")
		told := map[string]bool{}
		for _, f := range faults {
			if !told[f.Error()] { // Two groups of settings can share one.
				fmt.Fprintln(os.Stderr, "  -", f)
			}
			told[f.Error()] = true
		}
		return exitMisused
	case errors.As(err, &wrong):
		fmt.Fprintf(os.Stderr, "tenant-api: %v\nRun tenant-api help for what it can do.\n", err)
		return exitMisused
	}
	fmt.Fprintln(os.Stderr, "tenant-api:", message(err))
	if provisioning.KindOf(err) == provisioning.KindInvalid {
		return exitMisused
	}
	return exitFailed
}

// message is what a person is shown of an error: the words that were written for
// people, or the whole of an error that is none of ours, such as a port in use.
func message(err error) string {
	var known *provisioning.Error
	if errors.As(err, &known) {
		return provisioning.SafeMessage(err)
	}
	return err.Error()
}

func buildVersion() string { return buildinfo.Version(version) }

func versionLine() string {
	return fmt.Sprintf("tenant-api %s (%s, %s/%s)", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
