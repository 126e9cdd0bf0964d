//go:build unix

// Command bench compares provisioning with its floor, in one run and on one
// server whose commits wait for the disk.
//
// The floor is one transaction with a tenant's DDL and rows, sent by pgbench as
// fast as the server takes it. The product is provisioning.Service with the real
// registry, without the chain (its contract is there at once); once with a mail
// server that takes everything, as the product is used, and once without mail,
// which is what the floor does. Rounds of both alternate, so that a machine
// whose speed drifts does not favour one, and ratios are what counts.
//
// With -api it measures tenant-api in the same way, and with -provider the Terraform
// provider, at the CLI, against one whose Read and Create do nothing (cmd/bench/noop).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "how often floor and product alternate")
	flag.IntVar(&o.tenants, "tenants", 240, "tenants in each round; a multiple of 8")
	flag.BoolVar(&o.api, "api", false, "measure tenant-api in place of the service")
	flag.BoolVar(&o.provider, "provider", false, "measure the Terraform provider in place of the service")
	flag.IntVar(&o.state, "state", 1000, "tenants in the state that the provider refreshes")
	flag.IntVar(&o.memory, "memory", 10_000, "tenants after which tenant-api's memory is read")
	server := flag.Bool("serve", false, "serve as tenant-api does; for this program itself")
	flag.Parse()
	runMode := func(ctx context.Context) error { return run(ctx, o) }
	if *server {
		runMode = serve
	}
	if err := runMode(ctx); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
