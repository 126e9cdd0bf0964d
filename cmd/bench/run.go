//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

type options struct {
	rounds, tenants, memory, state int
	api, worker, provider, turns   bool
	sizes                          []int  // Numbers of tenants to provision beside.
	version                        int    // Of PostgreSQL; 0: any.
	blueprint                      string // Folder of the blueprint to measure.
}

// Limits of the product, relative to the floor.
const (
	maxTimeRatio       = 1.15 // At most this many times the floor's time, with one client.
	minThroughputRatio = 0.90 // At least this part of the floor's throughput, with eight.
)

type bench struct {
	options
	server          *pgserver.Server
	mail            *mailcatcher.Catcher
	dir             string
	databases       int
	binary          string   // Path of tenant-api.
	networkSettings []string // Settings for a Stellar network.
	measured        measuredBlueprint
}

func run(ctx context.Context, o options) (err error) {
	b := &bench{options: o}
	if err := b.startPostgreSQL(ctx); err != nil {
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
	if err := os.WriteFile(filepath.Join(b.dir, "floor.sql"), []byte(floorPart("tenant")), 0o600); err != nil {
		return err
	}
	switch {
	case len(o.sizes) > 0:
		return b.runScale(ctx)
	case o.turns:
		return b.serveTurns(ctx)
	case o.blueprint != "":
		return b.runBlueprint(ctx)
	case o.provider:
		return b.runProvider(ctx)
	}
	if o.api || o.worker {
		closeNetwork, err := b.startChain(ctx)
		if err != nil {
			return err
		}
		defer closeNetwork()
		if o.worker {
			return b.runWorker(ctx)
		}
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
	fmt.Printf("\n1 client: time per tenant; 8 clients: tenants per second; medians over the rounds, ratios within each round\n")
	fmt.Printf("limits: at most %.2f of the floor's time with 1 client, at least %.2f of its throughput with 8\n", maxTimeRatio, minThroughputRatio)
	ok, err := b.runChain(ctx)
	if err != nil {
		return err
	}
	if !within || !ok {
		fmt.Println("NOT within the limits")
	}
	return nil
}

// startPostgreSQL starts a server whose commits wait for the disk, with the owners of the
// databases.
func (b *bench) startPostgreSQL(ctx context.Context) (err error) {
	settings := []string{"shared_buffers=256MB"}
	if b.worker {
		settings = append(settings, "shared_preload_libraries=pg_stat_statements")
	}
	b.server, err = pgserver.Start(ctx, pgserver.Options{Version: b.version, Durable: true, Settings: settings})
	if err != nil {
		return err
	}
	if err := b.createUsers(ctx); err != nil {
		return errors.Join(err, b.server.Stop())
	}
	return nil
}

// contender is one side of a comparison: run provisions a round's tenants in a database
// that database creates.
type contender struct {
	database func(context.Context) (url string, drop func(), err error)
	run      func(ctx context.Context, url string, clients int) (time.Duration, error)
}

// compare runs the rounds for a number of clients. Each run has a new database, so that
// none is slowed down by the tenants of another.
func (b *bench) compare(ctx context.Context, clients int) (bool, error) {
	contenders := []contender{{b.floorDatabase, b.floor}, {b.database, b.productContender(false)}, {b.database, b.productContender(true)}}
	times := make([][]float64, len(contenders))
	ratios := make([][]float64, len(contenders))
	for round := range b.rounds + 1 {
		var first float64
		for i, contender := range contenders {
			url, drop, err := contender.database(ctx)
			if err != nil {
				return false, err
			}
			took, err := contender.run(ctx, url, clients)
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

// database creates a migrated database, as a customer has it: an ordinary user owns it.
func (b *bench) database(ctx context.Context) (url string, drop func(), err error) {
	url, drop, err = b.emptyDatabase(ctx, productUser)
	if err != nil {
		return "", nil, err
	}
	if err := migrate(ctx, url); err != nil {
		drop()
		return "", nil, err
	}
	return url, drop, nil
}

func migrate(ctx context.Context, url string) error {
	db, err := postgres.Open(ctx, pgdb.Options{URL: url})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Migrate(ctx)
}

// productUser owns the product's databases. It has the same privileges as floorUser.
const productUser = "bench_product"

// createUsers creates the owners of all databases. The product's user must not be a
// superuser, for whom PostgreSQL skips work that it does for customers.
func (b *bench) createUsers(ctx context.Context) error {
	statements := floorPart("user") + "\nCREATE ROLE " + productUser + " LOGIN CREATEROLE;\n"
	for _, user := range []string{floorUser, productUser} {
		statements += "ALTER ROLE " + user + " PASSWORD '" + b.server.Password() + "';\n"
	}
	return execute(ctx, b.server.URL("postgres"), statements)
}

// emptyDatabase creates a database that a user owns. The URL is for that user.
func (b *bench) emptyDatabase(ctx context.Context, user string) (string, func(), error) {
	b.databases++
	name := fmt.Sprintf("bench_%d", b.databases)
	server := b.server.URL("postgres")
	if err := execute(ctx, server, "CREATE DATABASE "+name+" OWNER "+user); err != nil {
		return "", nil, err
	}
	// A failure to drop leaves a database on a server that is removed anyway.
	drop := func() { _ = execute(context.WithoutCancel(ctx), server, "DROP DATABASE "+name+" WITH (FORCE)") }
	u, err := url.Parse(b.server.URL(name))
	if err != nil {
		drop()
		return "", nil, err
	}
	u.User = url.UserPassword(user, b.server.Password())
	return u.String(), drop, nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
