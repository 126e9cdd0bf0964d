//go:build unix

package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

const (
	// serveTimeout is how long tenant-api may take until it serves.
	serveTimeout = 30 * time.Second
	// serveStopTimeout is how long it may take to end.
	serveStopTimeout = 50 * time.Second
)

// servingLine is the line of the log with the address of the server.
var servingLine = regexp.MustCompile(`msg=serving url=(\S+)`)

// stay serves the tenants of the demo until ctx ends, and prints the address of the console with a key for it.
func (d *demoRun) stay(ctx context.Context) error {
	var key, url string
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	err := d.screen.runStage("tenant-api serve", func() (err error) {
		if key, err = d.tenantAPI(ctx, "apikey", "create", "--name", "Demo", "--scope", "admin"); err != nil {
			ended <- nil // Nothing was started.
			return err
		}
		url, err = d.serve(ctx, running, ended)
		return err
	})
	if err == nil {
		d.screen.print("\n  Console       %s/console\n  Sign in with  %s\n\n  Ctrl-C stops everything; nothing is kept.\n", url, strings.TrimSpace(key))
		select {
		case <-ctx.Done():
		case err := <-ended:
			return fmt.Errorf("tenant-api serve ended: %w", err)
		}
	}
	stop()
	if stopErr := <-ended; err == nil && ctx.Err() == nil { // Else it is of a server that was stopped.
		err = stopErr
	}
	return err
}

// serve starts the server on a free port and returns its address. running is how long it runs; ended gets how it ended.
func (d *demoRun) serve(ctx, running context.Context, ended chan<- error) (url string, err error) {
	output, input := io.Pipe()
	cmd := exec.CommandContext(running, filepath.Join(d.workspace.binPath(), "tenant-api"), "serve", "--port", "0") //nolint:gosec // G204: built by the demo
	cmd.Env, cmd.Stderr = d.cli.env, input
	go func() {
		err := d.workspace.runGroup(cmd, "service", serveStopTimeout)
		_ = input.Close() // Never fails.
		ended <- err
	}()
	found := make(chan string, 1)
	go func() {
		defer close(found)
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if match := servingLine.FindStringSubmatch(lines.Text()); match != nil {
				found <- match[1]
			}
		}
		_, _ = io.Copy(io.Discard, output) // It must not wait for a reader.
	}()
	select {
	case url, ok := <-found:
		if !ok {
			return "", errors.New("tenant-api serve ended; it cannot be started")
		}
		return url, nil
	case <-time.After(serveTimeout):
		return "", fmt.Errorf("tenant-api does not serve within %v", serveTimeout)
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
