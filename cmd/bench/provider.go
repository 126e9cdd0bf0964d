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
	mostRefreshRatio = 1.3 // Of a plan's time, with 1,000 tenants in the state.
	mostConnections  = 8   // To the database, at -parallelism=64.
	mostMoreCloses   = 8   // For an apply of 200 tenants at -parallelism=50.
)

const (
	appliedTenants = 200
	appliedAtOnce  = "-parallelism=50"
	highParallel   = "-parallelism=64"
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
	return show(ctx, b.refreshes, b.applies)
}

// refreshes compares plans of a state with many tenants.
func (b *bench) refreshes(ctx context.Context) ([]figure, error) {
	w, err := b.platform(ctx, 250*time.Millisecond)
	if err != nil {
		return nil, err
	}
	defer w.close()
	t, err := w.imported(ctx, b.state)
	if err != nil {
		return nil, err
	}
	var figures []figure
	for _, command := range []struct {
		args  []string
		limit bool
	}{
		{[]string{"plan"}, true},
		{[]string{"plan", highParallel}, true},
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
	connections, err := w.connections(ctx, func() error { _, err := t.unchanged(ctx, ours, highParallel); return err })
	if err != nil {
		return nil, err
	}
	figures = append(figures, atMost("database connections, plan "+highParallel, connections, mostConnections))
	throughAPI, err := w.throughAPI(ctx, t)
	return append(figures, throughAPI...), err
}

func atMost(what string, got, most int) figure {
	return figure{what, fmt.Sprint(got), fmt.Sprintf("<= %d", most), got <= most}
}

// compare runs a command with both providers in turns, each first as often as the
// other. Where others use the machine, the CPU's time says more than the clock's.
func (w *platform) compare(ctx context.Context, t *terraform, command []string) (_ figure, err error) {
	times := map[plugin][]float64{}
	var ratios, cpu []float64
	for round := range w.b.rounds + 1 {
		took := map[plugin]took{}
		order := []plugin{noop, ours}
		if round%2 == 1 {
			order = []plugin{ours, noop}
		}
		for _, p := range order {
			if took[p], err = t.run(ctx, p, command...); err != nil {
				return figure{}, err
			}
		}
		if round == 0 {
			continue // Warm-up.
		}
		for p, one := range took {
			times[p] = append(times[p], one.wall.Seconds())
		}
		ratios = append(ratios, took[ours].wall.Seconds()/took[noop].wall.Seconds())
		cpu = append(cpu, took[ours].cpu.Seconds()/took[noop].cpu.Seconds())
	}
	ratio := median(ratios)
	return figure{
		what:  strings.Join(command, " "),
		value: fmt.Sprintf("%.2f s to %.2f s, ratio %.2f (CPU %.2f)", median(times[ours]), median(times[noop]), ratio, median(cpu)),
		limit: fmt.Sprintf("<= %.1f", mostRefreshRatio), ok: ratio <= mostRefreshRatio,
	}, nil
}

// throughAPI is a plan through tenant-api, for information.
func (w *platform) throughAPI(ctx context.Context, t *terraform) ([]figure, error) {
	s, err := w.b.spawnOn(ctx, w.url, w.b.binary, "serve", "--port", "0", "--rate-limit", "1000000")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	through := *t
	through.env = []string{"TENANT_API_URL=" + s.url, "TENANT_API_TOKEN=" + s.key}
	// The server looks after contracts, so that the state shows nothing of them then.
	if _, err := through.run(ctx, ours, "apply", "-auto-approve", "-refresh-only"); err != nil {
		return nil, err
	}
	f, err := w.compare(ctx, &through, []string{"plan"})
	f.what, f.limit, f.ok = f.what+", through tenant-api", "", true
	return []figure{f}, err
}

// applies compares applies of new tenants: how many ledgers close meanwhile.
func (b *bench) applies(ctx context.Context) ([]figure, error) {
	w, err := b.platform(ctx, time.Second)
	if err != nil {
		return nil, err
	}
	defer w.close()
	var figures []figure
	var nothing, everything, more []float64
	var took []float64
	most := 0
	for round := range b.rounds + 1 {
		without, _, _, err := w.apply(ctx, noop, round)
		if err != nil {
			return nil, err
		}
		with, seconds, connections, err := w.apply(ctx, ours, round)
		if err != nil {
			return nil, err
		}
		most = max(most, connections)
		if round == 0 { // The code and the channels are made in it.
			figures = append(figures, figure{fmt.Sprintf("ledgers, first apply of %d tenants", appliedTenants),
				fmt.Sprintf("%d, %d more than nothing", with, with-without), "", true})
			continue
		}
		nothing, everything = append(nothing, float64(without)), append(everything, float64(with))
		more, took = append(more, float64(with-without)), append(took, seconds.Seconds())
	}
	got := int(median(more))
	return append(figures,
		figure{fmt.Sprintf("ledgers, apply of %d tenants %s, %d channels", appliedTenants, appliedAtOnce, apiChannels),
			fmt.Sprintf("%.0f in %.1f s, %d more than %.0f", median(everything), median(took), got, median(nothing)),
			fmt.Sprintf("<= %d more", mostMoreCloses), got <= mostMoreCloses},
		atMost("database connections, apply "+appliedAtOnce, most, mostConnections)), nil
}

// apply applies a configuration of new tenants, and counts what closes meanwhile.
func (w *platform) apply(ctx context.Context, p plugin, round int) (ledgers int, took time.Duration, connections int, err error) {
	t, err := w.b.terraform(fmt.Sprintf(`resource "healthcare_tenant" "t" {
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
	before, err := w.ledger(ctx)
	if err != nil {
		return 0, 0, 0, err
	}
	connections, err = w.connections(ctx, func() error {
		one, err := t.run(ctx, p, "apply", "-auto-approve", appliedAtOnce)
		took = one.wall
		return err
	})
	if err != nil {
		return 0, 0, 0, err
	}
	after, err := w.ledger(ctx)
	return after - before, took, connections, err
}

// platform is everything that a provider works on.
type platform struct {
	b        *bench
	network  *stellarnet.Network
	seed     string
	url      string // Of the database.
	settings []string
	close    func()
}

func (b *bench) platform(ctx context.Context, ledgerClose time.Duration) (*platform, error) {
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
	b.chain = chainSettings(network, deployer)
	return &platform{b: b, network: network, seed: deployer.Seed(), url: url, settings: b.settings(url), close: func() {
		drop()
		_ = network.Close()
	}}, nil
}

// imported makes tenants with their contracts, and a state that the provider itself
// writes of them.
func (w *platform) imported(ctx context.Context, tenants int) (*terraform, error) {
	if err := w.fill(ctx, tenants); err != nil {
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
	t, err := w.b.terraform(`locals { ids = jsondecode(file("ids.json")) }

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
	if err := t.write("ids.json", string(list)); err != nil {
		return nil, err
	}
	if err := t.write("import.tf", imports); err != nil {
		return nil, err
	}
	if _, err := t.run(ctx, ours, "apply", "-auto-approve", highParallel); err != nil {
		return nil, err
	}
	if err := t.write("import.tf", ""); err != nil {
		return nil, err
	}
	for _, p := range []plugin{ours, noop} {
		if _, err := t.unchanged(ctx, p); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// fill makes tenants with the service itself, without the CLI.
func (w *platform) fill(ctx context.Context, tenants int) error {
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
	pipeline, err := provisioning.NewPipeline(db, chain, noMail{}, provisioning.PipelineOptions{})
	if err != nil {
		return err
	}
	service, err := provisioning.NewService(db, pipeline)
	if err != nil {
		return err
	}
	return w.b.provisionAtOnce(ctx, service, tenants, 2*apiChannels)
}

// connections tells how many connections the provider had at most while do lasted.
func (w *platform) connections(ctx context.Context, do func() error) (most int, err error) {
	conn, err := pgx.Connect(ctx, w.url)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var (
		over    atomic.Bool
		looking sync.WaitGroup
		fault   error
	)
	looking.Go(func() {
		for !over.Load() && fault == nil {
			var now int
			fault = conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'terraform-provider-healthcare/%'`).Scan(&now)
			most = max(most, now)
			time.Sleep(10 * time.Millisecond) // Nothing tells when a connection comes or goes.
		}
	})
	err = do()
	over.Store(true)
	looking.Wait()
	if err == nil {
		err = fault
	}
	return most, err
}

// ledger is the number of the last ledger that closed.
func (w *platform) ledger(ctx context.Context) (int, error) {
	client := rpcclient.NewClient(w.network.RPCURL(), nil)
	defer func() { _ = client.Close() }()
	latest, err := client.GetLatestLedger(ctx)
	return int(latest.Sequence), err
}
