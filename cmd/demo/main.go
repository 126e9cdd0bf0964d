//go:build unix

// Command demo shows a tenant's life cycle end to end on this machine; "make demo"
// runs it, and "make demo STAY=1" goes on serving afterwards. See package demo.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/demo"
)

const exitInterrupted = 130

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := demo.Run(ctx, demo.Options{Out: os.Stdout, Colour: colour(), Stay: os.Getenv("STAY") != ""})
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "\n  Interrupted; everything was removed.")
		return exitInterrupted
	}
	fmt.Fprintf(os.Stderr, "\n  The demo failed: %v\n", err)
	var stage *demo.StageError
	if errors.As(err, &stage) && stage.Log != "" {
		fmt.Fprintf(os.Stderr, "\n  The end of its log:\n\n    %s\n", strings.ReplaceAll(stage.Log, "\n", "\n    "))
	}
	return 1
}

func colour() bool {
	return term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
