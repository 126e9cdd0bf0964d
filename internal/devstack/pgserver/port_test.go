//go:build unix

package pgserver_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
)

// TestFreePort_NoneTwice: callers that choose at once get different ports, on which they can listen.
func TestFreePort_NoneTwice(t *testing.T) {
	var (
		callers sync.WaitGroup
		mu      sync.Mutex
		chosen  = map[int]bool{}
	)
	for range 400 { // Two of 400 random ports of 12,000 are the same in nearly every run.
		callers.Go(func() {
			port, err := pgserver.FreePort(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			var config net.ListenConfig
			l, err := config.Listen(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			if err != nil {
				t.Error(err)
				return
			}
			_ = l.Close()
			mu.Lock()
			defer mu.Unlock()
			if chosen[port] {
				t.Errorf("port %d was chosen twice", port)
			}
			chosen[port] = true
		})
	}
	callers.Wait()
}

// TestFreePort_BesideNewProcesses: one can listen on the port although this process starts others
// meanwhile. A child has a copy of each socket of its parent until it executes its program.
func TestFreePort_BesideNewProcesses(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	var starts sync.WaitGroup
	defer starts.Wait()
	defer stop()
	for range 4 {
		starts.Go(func() {
			for ctx.Err() == nil {
				_ = exec.CommandContext(ctx, os.Args[0], "-test.run=^$").Run()
			}
		})
	}
	for range 300 {
		port, err := pgserver.FreePort(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var config net.ListenConfig
		l, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
	}
}
