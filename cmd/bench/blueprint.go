//go:build unix

package main

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintstore"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"

	"github.com/google/uuid"
)

// Limits of a published blueprint. The absolute ones are for the example clinic.
const (
	maxBlueprintRatio = 1.15 // At most this many times the time of the same SQL through psql.
	maxPublishTime    = 5 * time.Second
	maxVerifyTime     = 20 * time.Second // For verifiedTenants.
)

// verifiedTenants is how many tenants tenants verify checks.
const verifiedTenants = 1000

// measuredBlueprint is the blueprint of provisioned tenants. Its zero value is standard.
type measuredBlueprint struct {
	name     string
	files    fs.FS
	template *blueprintsql.Template
}

// runBlueprint measures one blueprint: publishing it, making tenants of it and verifying them.
func (b *bench) runBlueprint(ctx context.Context) error {
	if err := b.buildAPI(ctx); err != nil {
		return err
	}
	if err := b.readBlueprint(ctx); err != nil {
		return err
	}
	fmt.Printf("%d CPUs; blueprint %s; commits wait for the disk\n\n", runtime.NumCPU(), b.blueprint)
	within, err := b.compareBlueprint(ctx)
	if err != nil {
		return err
	}
	fmt.Println()
	if err := runMeasurements(ctx, b.measurePublish, b.measureVerify); err != nil {
		return err
	}
	if !within {
		fmt.Println("NOT within the limit of the ratio")
	}
	return nil
}

// readBlueprint reads the blueprint's files, and what tenants are made from when it is published.
func (b *bench) readBlueprint(ctx context.Context) (err error) {
	if b.measured.files, err = blueprint.ReadDir(b.blueprint); err != nil {
		return err
	}
	db, closeAll, err := b.warmDatabase(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	revision, err := b.publish(ctx, db)
	if err != nil {
		return err
	}
	b.measured.name = revision.Blueprint
	b.measured.template, err = blueprintstore.New(db.DB).Template(ctx, db.Pool(), revision.Blueprint, revision.Number)
	return err
}

// warmDatabase is a new database with an open connection.
func (b *bench) warmDatabase(ctx context.Context) (db *postgres.DB, closeAll func(), err error) {
	url, drop, err := b.database(ctx)
	if err != nil {
		return nil, nil, err
	}
	if db, err = postgres.Open(ctx, pgdb.Options{URL: url, MaxConnections: 2}); err != nil {
		drop()
		return nil, nil, err
	}
	closeAll = func() { db.Close(); drop() }
	if err := warmPool(ctx, db, 1); err != nil {
		closeAll()
		return nil, nil, err
	}
	return db, closeAll, nil
}

// publish publishes and activates the measured blueprint.
func (b *bench) publish(ctx context.Context, db *postgres.DB) (blueprint.Revision, error) {
	return db.Blueprints.Publish(ctx, b.measured.files, true)
}

// publishedDatabase is a new database in which the blueprint is published and active.
func (b *bench) publishedDatabase(ctx context.Context) (db *postgres.DB, closeAll func(), err error) {
	if db, closeAll, err = b.warmDatabase(ctx); err != nil {
		return nil, nil, err
	}
	if _, err := b.publish(ctx, db); err != nil {
		closeAll()
		return nil, nil, err
	}
	return db, closeAll, nil
}

// blueprintRound makes a round's tenants and returns the time that they took.
type blueprintRound struct {
	name  string
	run   func(ctx context.Context) (time.Duration, error)
	limit float64 // At most this many times the first round's time. 0: none.
}

// compareBlueprint makes rounds of tenants in turn: the same SQL through psql, the same SQL in
// one message, the product's transaction for the schema, and all of a tenant's creation. It prints
// their times, and the ratios to the time through psql.
func (b *bench) compareBlueprint(ctx context.Context) (bool, error) {
	rounds := []blueprintRound{
		{"the same SQL through psql", b.psqlRound, 0}, {"the same SQL in one message", b.messageRound, 0},
		{"PrepareSchema", b.prepareRound, maxBlueprintRatio}, {"all of a tenant, no contract and mail", b.provisionRound, 0},
	}
	times, logs := make([][]float64, len(rounds)), make([][]float64, len(rounds))
	pairs := max(b.rounds, 20) // An interval needs that many.
	for round := range pairs + 1 {
		took := make([]float64, len(rounds))
		for turn := range rounds {
			i := (turn + round) % len(rounds)
			d, err := rounds[i].run(ctx)
			if err != nil {
				return false, fmt.Errorf("%s: %w", rounds[i].name, err)
			}
			took[i] = d.Seconds() / float64(b.tenants)
		}
		for i := range rounds {
			if round > 0 { // The first is to warm up.
				times[i], logs[i] = append(times[i], took[i]), append(logs[i], math.Log(took[i]/took[0]))
			}
		}
	}
	fmt.Printf("%d rounds of %d tenants each\n%-40s %12s %10s   %s\n", pairs, b.tenants, "", "time", "ratio", "95 % interval")
	within := true
	for i, r := range rounds {
		mean, half := interval(logs[i])
		fmt.Printf("%-40s %9.2f ms %10.3f   %.3f to %.3f\n", r.name, 1000*median(times[i]), math.Exp(mean), math.Exp(mean-half), math.Exp(mean+half))
		within = within && (r.limit == 0 || math.Exp(mean) <= r.limit)
	}
	fmt.Printf("time for a tenant, medians; ratio: geometric mean over the rounds; limit of PrepareSchema: %.2f\n", maxBlueprintRatio)
	return within, nil
}

// prepareRound returns the time of the product's transactions that make schemas.
func (b *bench) prepareRound(ctx context.Context) (took time.Duration, err error) {
	db, closeAll, err := b.publishedDatabase(ctx)
	if err != nil {
		return 0, err
	}
	defer closeAll()
	for i := range b.tenants {
		in := benchInputs(fmt.Sprintf("Tenant %d", i))
		in.Blueprint = b.measured.name
		draft, err := tenant.NewDraft(in, time.Now())
		if err != nil {
			return 0, err
		}
		claim, err := db.Create(ctx, draft, provisioning.LeaseRequest{Owner: "bench", TTL: time.Minute})
		if err != nil {
			return 0, err
		}
		seed := provisioning.Seed{AdminUser: uuid.Must(uuid.NewV7()), Invitation: invitation.NewInvitation(time.Now().Add(invitation.DefaultTTL)), Next: tenant.StepDeploySorobanContract}
		began := time.Now()
		if _, err := db.PrepareSchema(ctx, *claim.Run, seed); err != nil {
			return 0, err
		}
		took += time.Since(began)
	}
	return took, nil
}

// provisionRound returns the time of whole tenants, one after the other.
func (b *bench) provisionRound(ctx context.Context) (time.Duration, error) {
	db, closeAll, err := b.publishedDatabase(ctx)
	if err != nil {
		return 0, err
	}
	defer closeAll()
	service, err := b.service(db, false)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	err = b.provision(ctx, service, "Tenant", b.tenants)
	return time.Since(began), err
}

// measurePublish measures the publishing of a blueprint that the registry does not know.
func (b *bench) measurePublish(ctx context.Context) ([]measurement, error) {
	var times []float64
	for range b.rounds {
		db, closeAll, err := b.warmDatabase(ctx)
		if err != nil {
			return nil, err
		}
		began := time.Now()
		_, err = b.publish(ctx, db)
		times = append(times, time.Since(began).Seconds())
		closeAll()
		if err != nil {
			return nil, err
		}
	}
	got := time.Duration(median(times) * float64(time.Second))
	return []measurement{{fmt.Sprintf("publish, median of %d", b.rounds), got.Round(time.Millisecond).String(), "< " + maxPublishTime.String(), got < maxPublishTime}}, nil
}

// measureVerify measures tenants verify, as a process: without the ledger, and with each tenant's
// contract and anchor.
func (b *bench) measureVerify(ctx context.Context) (results []measurement, err error) {
	w, err := b.newPlatform(ctx, 100*time.Millisecond)
	if err != nil {
		return nil, err
	}
	defer w.close()
	db, err := postgres.Open(ctx, pgdb.Options{URL: w.url, MaxConnections: 2})
	if err != nil {
		return nil, err
	}
	_, err = b.publish(ctx, db)
	db.Close()
	if err == nil {
		err = w.provisionTenants(ctx, verifiedTenants)
	}
	if err != nil {
		return nil, err
	}
	for _, arg := range []string{"--offline", "--onchain"} {
		began := time.Now()
		if err := b.runTenantAPI(ctx, w.url, "tenants", "verify", arg); err != nil {
			return nil, err
		}
		got := time.Since(began)
		results = append(results, measurement{
			fmt.Sprintf("tenants verify %s, %d tenants", arg, verifiedTenants), got.Round(10 * time.Millisecond).String(), "< " + maxVerifyTime.String(), got < maxVerifyTime,
		})
	}
	return results, nil
}

// runTenantAPI runs one command of tenant-api on a database.
func (b *bench) runTenantAPI(ctx context.Context, url string, args ...string) error {
	cmd := exec.CommandContext(ctx, b.binary, args...) //nolint:gosec // our own program
	cmd.Env = append(os.Environ(), b.settings(url)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("tenant-api %v: %w: %s", args, err, out)
	}
	return nil
}
