//go:build unix

// Command bench compares provisioning with a floor, in one run and on one PostgreSQL
// server whose commits wait for the disk.
//
// The floor (testdata/floor.sql) is one transaction with a tenant's DDL and rows, which
// pgbench sends as fast as the server accepts it. It is frozen: it does not follow changes
// of the product. The product is provisioning.Service with the real registry and a deployer
// that returns a contract immediately. It runs without mail, as the floor does, and with a
// mail server that accepts everything. Rounds of floor and product alternate, so that a
// change of the machine's speed affects both. The results are ratios.
//
// With -compare it runs rounds of this checkout and of another one in turn, and prints the
// ratio of their times with its 95 % interval.
//
// With -scale it compares provisioning beside that many tenants with provisioning
// on a new server of the same version (-postgres).
//
// With -blueprint it compares tenants of a published blueprint with the same SQL through psql, and
// measures publish and tenants verify.
//
// With -api it measures tenant-api in the same way. With -worker it measures a worker that
// polls: the time from a POST to the first step, and the statements while it is idle. With
// -provider it compares the Terraform provider with one whose Read and Create do nothing
// (cmd/bench/noop), using the CLI.
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
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of floor and product")
	flag.IntVar(&o.tenants, "tenants", 240, "tenants in each round; a multiple of 8")
	flag.BoolVar(&o.api, "api", false, "measure tenant-api instead of the service")
	flag.BoolVar(&o.worker, "worker", false, "measure how soon a worker begins a tenant, and what it sends while idle")
	flag.BoolVar(&o.provider, "provider", false, "measure the Terraform provider instead of the service")
	flag.IntVar(&o.state, "state", 1000, "tenants in the refreshed Terraform state")
	flag.IntVar(&o.memory, "memory", 10_000, "tenants to create before tenant-api's memory is read")
	flag.IntVar(&o.version, "postgres", 0, "major version of PostgreSQL (default: the installed one)")
	flag.Func("scale", "compare provisioning beside these numbers of tenants with a new server: 5000,10000", func(text string) (err error) {
		o.sizes, err = parseSizes(text)
		return err
	})
	flag.StringVar(&o.blueprint, "blueprint", "", "folder of a blueprint: compare its tenants with the same SQL through psql, and measure publish and verify")
	compare := flag.String("compare", "", "directory of another checkout to compare with, round by round")
	pairs := flag.Int("pairs", 20, "pairs of rounds with -compare")
	flag.BoolVar(&o.turns, "turns", false, "run the rounds that standard input names; used by bench itself")
	server := flag.Bool("serve", false, "run as the measured server; used by bench itself")
	flag.Parse()
	runMode := func(ctx context.Context) error { return run(ctx, o) }
	switch {
	case *server:
		runMode = serve
	case *compare != "":
		runMode = func(ctx context.Context) error { return compareBuilds(ctx, *compare, *pairs, o.tenants) }
	}
	if err := runMode(ctx); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
