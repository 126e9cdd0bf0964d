//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
)

type options struct {
	rounds, tenants, memory, state int
	api, provider                  bool
}

// The limits that the product sets itself (DESIGN, section 10).
const (
	maxTimeRatio       = 1.15 // Of the floor's time, at one client.
	minThroughputRatio = 0.90 // Of the floor's throughput, at eight.
)

type bench struct {
	options
	server          *pgserver.Server
	mail            *mailcatcher.Catcher
	dir             string
	databases       int
	binary          string   // tenant-api.
	networkSettings []string // Settings of a Stellar network.
}

func run(ctx context.Context, o options) (err error) {
	b := &bench{options: o}
	if b.server, err = pgserver.Start(ctx, pgserver.Options{Durable: true, Settings: []string{"shared_buffers=256MB"}}); err != nil {
		return err
	}
	defer func() { _ = b.server.Stop() }()
	if b.mail, err = mailcatcher.Start(ctx, mailcatcher.Options{}); err != nil {
		return err
	}
	defer func() { _ = b.mail.Close() }()
	if b.dir, err = os.MkdirTemp("", "healthcare-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.dir) }()
	if err := os.WriteFile(filepath.Join(b.dir, "floor.sql"), []byte(floorScript()), 0o600); err != nil {
		return err
	}
	if o.provider {
		return b.runProvider(ctx)
	}
	if o.api {
		closeNetwork, err := b.startChain(ctx)
		if err != nil {
			return err
		}
		defer closeNetwork()
		return b.runAPI(ctx)
	}
	fmt.Printf("%d CPUs, %d rounds of %d tenants each; commits wait for the disk\n\n", runtime.NumCPU(), o.rounds, o.tenants)
	fmt.Printf("%-8s %14s %14s %14s %16s %16s\n", "clients", "floor", "product", "and mail", "product/floor", "and mail/floor")
	within := true
	for _, clients := range []int{1, 8} {
		ok, err := b.compare(ctx, clients)
		if err != nil {
			return err
		}
		within = within && ok
	}
	fmt.Printf("\nat 1 client time per tenant, at 8 tenants per second; medians over the rounds, ratios pair by pair\n")
	fmt.Printf("limits: at most %.2f of the floor's time at 1 client, at least %.2f of its throughput at 8\n", maxTimeRatio, minThroughputRatio)
	ok, err := b.runChain(ctx)
	if err != nil {
		return err
	}
	if !within || !ok {
		fmt.Println("NOT within the limits")
	}
	return nil
}

// compare runs the rounds for a number of clients. A fresh database for each
// round keeps one side from paying for what the other has made.
func (b *bench) compare(ctx context.Context, clients int) (bool, error) {
	contenders := []func(context.Context, string, int) (time.Duration, error){b.floor, b.productContender(false), b.productContender(true)}
	times := make([][]float64, len(contenders))
	ratios := make([][]float64, len(contenders))
	for round := range b.rounds + 1 {
		var first float64
		for i, contender := range contenders {
			url, drop, err := b.database(ctx)
			if err != nil {
				return false, err
			}
			took, err := contender(ctx, url, clients)
			drop()
			if err != nil {
				return false, err
			}
			seconds := took.Seconds() / float64(b.tenants)
			if i == 0 {
				first = seconds
			}
			if round == 0 {
				continue // Warm-up.
			}
			times[i], ratios[i] = append(times[i], seconds), append(ratios[i], seconds/first)
		}
	}
	cells := make([]string, len(contenders))
	for i := range times {
		cells[i] = fmt.Sprintf("%.2f ms", 1000*median(times[i]))
		if clients > 1 {
			cells[i] = fmt.Sprintf("%.0f/s", 1/median(times[i]))
		}
	}
	plain, mail := median(ratios[1]), median(ratios[2])
	if clients > 1 {
		plain, mail = 1/plain, 1/mail
		fmt.Printf("%-8d %14s %14s %14s %10.2f (>%.2f) %16.2f\n", clients, cells[0], cells[1], cells[2], plain, minThroughputRatio, mail)
		return plain >= minThroughputRatio, nil
	}
	fmt.Printf("%-8d %14s %14s %14s %10.2f (<%.2f) %16.2f\n", clients, cells[0], cells[1], cells[2], plain, maxTimeRatio, mail)
	return plain <= maxTimeRatio, nil
}

// database makes a migrated database.
func (b *bench) database(ctx context.Context) (url string, drop func(), err error) {
	b.databases++
	name := fmt.Sprintf("bench_%d", b.databases)
	admin := func(ctx context.Context, statement string) error {
		conn, err := pgx.Connect(ctx, b.server.URL("postgres"))
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close(ctx) }()
		_, err = conn.Exec(ctx, statement)
		return err
	}
	if err := admin(ctx, "CREATE DATABASE "+name); err != nil {
		return "", nil, err
	}
	db, err := postgres.Open(ctx, postgres.Options{URL: b.server.URL(name)})
	if err != nil {
		return "", nil, err
	}
	defer db.Close()
	if err := db.Migrate(ctx); err != nil {
		return "", nil, err
	}
	// What a round leaves is dropped; a failure of that is no failure of the round.
	return b.server.URL(name), func() { _ = admin(context.WithoutCancel(ctx), "DROP DATABASE "+name+" WITH (FORCE)") }, nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
