// Command tenant-api is the REST API beside the provider: the same provisioning over HTTP,
// for administrators and other systems, in one binary on one PostgreSQL. "tenant-api help"
// lists its commands.
//
// This package has flags, printing and shutdown; the rules are in internal/.
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

// apiVersion is the version of the API in its OpenAPI document. It changes with the
// operations, not with each build.
const apiVersion = "1.0.0"

// The exit codes.
const (
	exitOK       = 0
	exitFailed   = 1 // The command failed.
	exitUsage    = 2 // The command line or a setting is invalid.
	exitFindings = 3 // A check has findings.
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once. Nothing is lost: other processes continue
	// its work when its leases expire, after a few seconds.
	context.AfterFunc(ctx, stop)

	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	ctx = audit.WithCaller(ctx, audit.Caller{Kind: audit.CallerCommand, Name: fmt.Sprintf("%.60s/uid %d", host, os.Getuid())})
	a := &cli{source: config.Environment, misspellings: config.EnvironmentMisspellings()}
	root := a.root()
	root.SetArgs(args)
	ctx, endTraces := a.startTraces(ctx, root, args)
	err = root.ExecuteContext(ctx)
	endTraces(err)
	return a.exitStatus(err)
}

// exitError is an error that was already printed.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// exitStatus prints the error and returns its exit code.
func (a *cli) exitStatus(err error) int {
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
		fmt.Fprintln(os.Stderr, "tenant-api: invalid settings:")
		printed := map[string]bool{}
		for _, f := range settingErrs {
			if !printed[f.Error()] { // Two groups of settings can share a setting.
				fmt.Fprintln(os.Stderr, "  -", a.settingName(f.Variable), f.Message)
			}
			printed[f.Error()] = true
		}
		return exitUsage
	case errors.As(err, &usageErr):
		fmt.Fprintf(os.Stderr, "%s\nRun %s --help.\n", usageErr.text, usageErr.command)
		return exitUsage
	}
	fmt.Fprintln(os.Stderr, "tenant-api:", userMessage(err))
	if errs.KindOf(err) == errs.KindInvalid {
		return exitUsage
	}
	return exitFailed
}

// userMessage returns the safe message of a typed error, and the whole text of any other
// error, such as a port in use.
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
