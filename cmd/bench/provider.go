//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stellar/go-stellar-sdk/clients/rpcclient"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
)

// The limits that the provider sets itself, against one that does nothing.
const (
	maxRefreshRatio = 1.3 // Of a plan's time, with 1,000 tenants in the state.
	maxConnections  = 8   // To the database, at -parallelism=64.
	maxExtraLedgers = 8   // For an apply of 200 tenants at -parallelism=50.
)

const (
	appliedTenants   = 200
	applyParallelism = "-parallelism=50"
	highParallelism  = "-parallelism=64"
)

// runProvider compares the provider with one that does nothing, at the same CLI.
func (b *bench) runProvider(ctx context.Context) error {
	if err := b.buildPlugins(ctx); err != nil {
		return err
	}
	if err := b.buildAPI(ctx); err != nil {
		return err
	}
	fmt.Printf("%d tenants in the state, %d rounds; medians, ratios pair by pair; commits wait for the disk\n\n", b.state, b.rounds)
	return runMeasurements(ctx, b.measureRefreshes, b.measureApplies)
}

// measureRefreshes compares plans of a state with many tenants.
func (b *bench) measureRefreshes(ctx context.Context) ([]measurement, error) {
	w, err := b.newPlatform(ctx, 250*time.Millisecond)
	if err != nil {
		return nil, err
	}
	defer w.close()
	t, err := w.importTenants(ctx, b.state)
	if err != nil {
		return nil, err
	}
	var figures []measurement
	for _, command := range []struct {
		args  []string
		limit bool
	}{
		{[]string{"plan"}, true},
		{[]string{"plan", highParallelism}, true},
		{[]string{"plan", "-refresh-only"}, false},
	} {
		f, err := w.compare(ctx, t, command.args)
		if err != nil {
			return nil, err
		}
		if !command.limit {
			f.limit, f.ok = "", true
		}
		figures = append(figures, f)
	}
	connections, err := w.maxConnectionsDuring(ctx, func() error { _, err := t.planUnchanged(ctx, productPlugin, highParallelism); return err })
	if err != nil {
		return nil, err
	}
	figures = append(figures, atMostMeasurement("database connections, plan "+highParallelism, connections, maxConnections))
	throughAPI, err := w.compareThroughAPI(ctx, t)
	return append(figures, throughAPI...), err
}

func atMostMeasurement(what string, got, most int) measurement {
	return measurement{what, fmt.Sprint(got), fmt.Sprintf("<= %d", most), got <= most}
}

// compare runs a command with both providers in turns, each first as often as the
// other. Where others use the machine, the CPU's time says more than the clock's.
func (w *testPlatform) compare(ctx context.Context, t *workspace, command []string) (_ measurement, err error) {
	times := map[plugin][]float64{}
	var ratios, cpu []float64
	for round := range w.b.rounds + 1 {
		took := map[plugin]runTime{}
		order := []plugin{noopPlugin, productPlugin}
		if round%2 == 1 {
			order = []plugin{productPlugin, noopPlugin}
		}
		for _, p := range order {
			if took[p], err = t.run(ctx, p, command...); err != nil {
				return measurement{}, err
			}
		}
		if round == 0 {
			continue // Warm-up.
		}
		for p, one := range took {
			times[p] = append(times[p], one.wall.Seconds())
		}
		ratios = append(ratios, took[productPlugin].wall.Seconds()/took[noopPlugin].wall.Seconds())
		cpu = append(cpu, took[productPlugin].cpu.Seconds()/took[noopPlugin].cpu.Seconds())
	}
	ratio := median(ratios)
	return measurement{
		name:  strings.Join(command, " "),
		value: fmt.Sprintf("%.2f s to %.2f s, ratio %.2f (CPU %.2f)", median(times[productPlugin]), median(times[noopPlugin]), ratio, median(cpu)),
		limit: fmt.Sprintf("<= %.1f", maxRefreshRatio), ok: ratio <= maxRefreshRatio,
	}, nil
}

// compareThroughAPI is a plan through tenant-api, for information.
func (w *testPlatform) compareThroughAPI(ctx context.Context, t *workspace) ([]measurement, error) {
	s, err := w.b.startOn(ctx, w.url, w.b.binary, "serve", "--port", "0", "--rate-limit", "1000000")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	viaAPI := *t
	viaAPI.env = []string{"TENANT_API_URL=" + s.url, "TENANT_API_TOKEN=" + s.key}
	// The server looks after contracts, so that the state shows nothing of them then.
	if _, err := viaAPI.run(ctx, productPlugin, "apply", "-auto-approve", "-refresh-only"); err != nil {
		return nil, err
	}
	f, err := w.compare(ctx, &viaAPI, []string{"plan"})
	f.name, f.limit, f.ok = f.name+", through tenant-api", "", true
	return []measurement{f}, err
}

// measureApplies compares applies of new tenants: how many ledgers close meanwhile.
func (b *bench) measureApplies(ctx context.Context) ([]measurement, error) {
	w, err := b.newPlatform(ctx, time.Second)
	if err != nil {
		return nil, err
	}
	defer w.close()
	var figures []measurement
	var noopLedgers, productLedgers, extraLedgers []float64
	var took []float64
	peakConnections := 0
	for round := range b.rounds + 1 {
		without, _, _, err := w.apply(ctx, noopPlugin, round)
		if err != nil {
			return nil, err
		}
		with, seconds, connections, err := w.apply(ctx, productPlugin, round)
		if err != nil {
			return nil, err
		}
		peakConnections = max(peakConnections, connections)
		if round == 0 { // The code and the channels are made in it.
			figures = append(figures, measurement{fmt.Sprintf("ledgers, first apply of %d tenants", appliedTenants),
				fmt.Sprintf("%d, %d more than nothing", with, with-without), "", true})
			continue
		}
		noopLedgers, productLedgers = append(noopLedgers, float64(without)), append(productLedgers, float64(with))
		extraLedgers, took = append(extraLedgers, float64(with-without)), append(took, seconds.Seconds())
	}
	got := int(median(extraLedgers))
	return append(figures,
		measurement{fmt.Sprintf("ledgers, apply of %d tenants %s, %d channels", appliedTenants, applyParallelism, apiChannels),
			fmt.Sprintf("%.0f in %.1f s, %d more than %.0f", median(productLedgers), median(took), got, median(noopLedgers)),
			fmt.Sprintf("<= %d more", maxExtraLedgers), got <= maxExtraLedgers},
		atMostMeasurement("database connections, apply "+applyParallelism, peakConnections, maxConnections)), nil
}

// apply applies a configuration of new tenants, and counts what closes meanwhile.
func (w *testPlatform) apply(ctx context.Context, p plugin, round int) (ledgers int, took time.Duration, connections int, err error) {
	t, err := w.b.newWorkspace(fmt.Sprintf(`resource "healthcare_tenant" "t" {
  count            = %d
  name             = "Applied %d ${count.index}"
  admin_email      = "ada@clinic.example"
  admin_first_name = "Ada"
  admin_last_name  = "Lovelace"
}
`, appliedTenants, round), w.settings)
	if err != nil {
		return 0, 0, 0, err
	}
	before, err := w.latestLedger(ctx)
	if err != nil {
		return 0, 0, 0, err
	}
	connections, err = w.maxConnectionsDuring(ctx, func() error {
		one, err := t.run(ctx, p, "apply", "-auto-approve", applyParallelism)
		took = one.wall
		return err
	})
	if err != nil {
		return 0, 0, 0, err
	}
	after, err := w.latestLedger(ctx)
	return after - before, took, connections, err
}

// testPlatform is everything that a provider works on.
type testPlatform struct {
	b        *bench
	network  *stellarnet.Network
	seed     string
	url      string // Of the database.
	settings []string
	close    func()
}

func (b *bench) newPlatform(ctx context.Context, ledgerClose time.Duration) (*testPlatform, error) {
	network, deployer, err := startNetwork(ctx, ledgerClose)
	if err != nil {
		return nil, err
	}
	url, drop, err := b.database(ctx)
	if err != nil {
		_ = network.Close()
		return nil, err
	}
	b.mail.Reset()
	b.networkSettings = chainSettings(network, deployer)
	return &testPlatform{b: b, network: network, seed: deployer.Seed(), url: url, settings: b.settings(url), close: func() {
		drop()
		_ = network.Close()
	}}, nil
}

// importTenants makes tenants with their contracts, and a state that the provider itself
// writes of them.
func (w *testPlatform) importTenants(ctx context.Context, tenants int) (*workspace, error) {
	if err := w.provisionTenants(ctx, tenants); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, w.url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(ctx) }()
	rows, err := conn.Query(ctx, `SELECT name, id::text FROM tenants`)
	if err != nil {
		return nil, err
	}
	ids := map[string]string{}
	var name, id string
	if _, err := pgx.ForEachRow(rows, []any{&name, &id}, func() error { ids[name] = id; return nil }); err != nil {
		return nil, err
	}
	if len(ids) != tenants {
		return nil, fmt.Errorf("%d tenants were made", len(ids))
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	t, err := w.b.newWorkspace(`locals { ids = jsondecode(file("ids.json")) }

resource "healthcare_tenant" "t" {
  for_each         = local.ids
  name             = each.key
  admin_email      = "ada@clinic.example"
  admin_first_name = "Ada"
  admin_last_name  = "Lovelace"
}
`, w.settings)
	if err != nil {
		return nil, err
	}
	imports := "import {\n  for_each = local.ids\n  to       = healthcare_tenant.t[each.key]\n  id       = each.value\n}\n"
	if err := t.writeFile("ids.json", string(list)); err != nil {
		return nil, err
	}
	if err := t.writeFile("import.tf", imports); err != nil {
		return nil, err
	}
	if _, err := t.run(ctx, productPlugin, "apply", "-auto-approve", highParallelism); err != nil {
		return nil, err
	}
	if err := t.writeFile("import.tf", ""); err != nil {
		return nil, err
	}
	for _, p := range []plugin{productPlugin, noopPlugin} {
		if _, err := t.planUnchanged(ctx, p); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// provisionTenants makes tenants with the service itself, without the CLI.
func (w *testPlatform) provisionTenants(ctx context.Context, tenants int) error {
	db, err := postgres.Open(ctx, postgres.Options{URL: w.url, MaxConnections: 16})
	if err != nil {
		return err
	}
	defer db.Close()
	chain, err := soroban.New(soroban.Options{
		Passphrase: w.network.Passphrase(), RPCURL: w.network.RPCURL(), DeployerSecret: w.seed, Channels: apiChannels,
	})
	if err != nil {
		return err
	}
	pipeline, err := provisioning.NewPipeline(db, chain, discardMailer{}, provisioning.PipelineOptions{})
	if err != nil {
		return err
	}
	service, err := provisioning.NewService(db, pipeline)
	if err != nil {
		return err
	}
	return w.b.provisionConcurrently(ctx, service, tenants, 2*apiChannels)
}

// maxConnectionsDuring tells how many connections the provider had at most while do lasted.
func (w *testPlatform) maxConnectionsDuring(ctx context.Context, do func() error) (most int, err error) {
	conn, err := pgx.Connect(ctx, w.url)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var (
		done     atomic.Bool
		poller   sync.WaitGroup
		queryErr error
	)
	poller.Go(func() {
		for !done.Load() && queryErr == nil {
			var now int
			queryErr = conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'terraform-provider-healthcare/%'`).Scan(&now)
			most = max(most, now)
			time.Sleep(10 * time.Millisecond) // Nothing tells when a connection comes or goes.
		}
	})
	err = do()
	done.Store(true)
	poller.Wait()
	if err == nil {
		err = queryErr
	}
	return most, err
}

// latestLedger is the number of the last ledger that closed.
func (w *testPlatform) latestLedger(ctx context.Context) (int, error) {
	client := rpcclient.NewClient(w.network.RPCURL(), nil)
	defer func() { _ = client.Close() }()
	latest, err := client.GetLatestLedger(ctx)
	return int(latest.Sequence), err
}
