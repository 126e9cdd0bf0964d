//go:build unix

// Command devstack starts local replacements for the services that the product needs, on
// a laptop or in a CI job: PostgreSQL, a Stellar network and a mail catcher. With a
// command it runs that command with their settings and ends with it; without one it runs
// until it is interrupted. See --help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stack"
)

// Exit statuses in addition to that of the command, as in shells.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitNotRunnable = 126
	exitNotFound    = 127
	exitSignal      = 128 // Plus the signal's number.
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	f, err := parseFlags(args, stdout, stderr)
	switch {
	case errors.Is(err, errHelpPrinted):
		return 0
	case err != nil:
		return exitUsage // parse has printed the error.
	}
	out := newPrinter(stderr)
	var program string
	if len(f.command) > 0 { // A mistyped command fails before the stack starts.
		var status int
		if program, status = findProgram(f.command[0], out); status != 0 {
			return status
		}
	}
	d := &devstack{flags: f, program: program, stdout: stdout, printer: out, signals: subscribeSignals(len(f.command) > 0)}
	return d.run()
}

func findProgram(name string, out *printer) (program string, status int) {
	program, err := exec.LookPath(name)
	switch {
	case err == nil:
		return program, 0
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		out.printError(fmt.Errorf("command %q was not found", name))
		return "", exitNotFound
	default:
		out.printError(fmt.Errorf("command %q cannot be run: %w", name, err))
		return "", exitNotRunnable
	}
}

// subscribeSignals subscribes to the signals that end a program or, with a command, are
// forwarded to it. Signals that were ignored at the start (nohup, background jobs of a
// script) stay ignored.
func subscribeSignals(command bool) <-chan os.Signal {
	all := []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM}
	if command {
		all = append(all, syscall.SIGUSR1, syscall.SIGUSR2)
	}
	signals := make(chan os.Signal, 16)
	for _, sig := range all {
		if !signal.Ignored(sig) {
			signal.Notify(signals, sig)
		}
	}
	return signals
}

// devstack is one run of the program.
type devstack struct {
	flags   flags
	program string // Of the command; "" without one.
	stdout  io.Writer
	printer *printer
	signals <-chan os.Signal
	cleanup *cleanup
	stack   *stack.Stack
}

func (d *devstack) run() (status int) {
	file, err := newEnvFile(d.flags.envFile)
	if err != nil {
		d.printer.printError(err)
		return exitFailure
	}
	if d.cleanup, err = startCleanup(file); err != nil {
		d.printer.printError(err)
		return exitFailure
	}
	defer func() {
		if err := errors.Join(file.remove(), d.cleanup.stop()); err != nil && status == 0 {
			d.printer.printError(err)
			status = exitFailure
		}
	}()
	if status, err := d.start(); err != nil || status != 0 {
		if err != nil {
			d.printer.printError(err)
		}
		return status
	}
	defer func() {
		if err := d.stack.Close(); err != nil {
			d.printer.printError(fmt.Errorf("stop: %w", err))
			status = max(status, exitFailure)
		}
	}()
	if err := file.write(d.stack.Env()); err != nil {
		d.printer.printError(err)
		return exitFailure
	}
	d.printer.stackReady(d.flags)
	if d.program != "" {
		return d.runCommand()
	}
	if d.flags.envFile == "" {
		_, _ = fmt.Fprint(d.stdout, stack.Export(d.stack.Env())) // Standard error may be closed.
	}
	return d.waitForSignal()
}

// start starts the stack, or returns the exit status when a signal interrupts the start.
func (d *devstack) start() (status int, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		var err error
		options := d.flags.stack
		options.OnStarted, options.Progress = d.printer.componentStarted, d.printer
		d.stack, err = stack.Start(ctx, options)
		done <- err
	}()
	for {
		select {
		case sig := <-d.signals:
			status = signalStatus(number(sig))
			cancel()
		case err := <-done:
			switch {
			case err == nil && status == 0:
				return 0, nil
			case err == nil: // The signal came after the start.
				return status, d.stack.Close()
			case status != 0:
				return status, nil
			}
			return exitFailure, err
		}
	}
}

// waitForSignal waits until a signal arrives or the stack fails.
func (d *devstack) waitForSignal() int {
	var postgresDone <-chan struct{} // Nil without PostgreSQL.
	if d.stack.Postgres != nil {
		postgresDone = d.stack.Postgres.Done()
	}
	select {
	case <-d.signals:
		// The next signal ends the program at once; the watchdog then cleans up.
		signal.Reset()
		d.printer.printf("Stopping.")
		return 0
	case <-postgresDone:
		d.printer.printError(errors.New("PostgreSQL has ended"))
		return exitFailure
	}
}

// number is the system's number of a signal.
func number(sig os.Signal) syscall.Signal {
	n, ok := sig.(syscall.Signal)
	if !ok { // For no platform that this is built for.
		return syscall.SIGTERM
	}
	return n
}

func signalStatus(sig syscall.Signal) int { return exitSignal + int(sig) }
