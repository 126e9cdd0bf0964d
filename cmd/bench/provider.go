//go:build unix

package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Limits of the provider, relative to the one that does nothing.
const (
	maxRefreshRatio = 1.15 // At most this many times its plan's time, with 1,000 tenants in the state.
	maxConnections  = 8    // To the database, with -parallelism=64.
	maxExtraLedgers = 8    // More ledgers, for an apply of 200 tenants with -parallelism=50.
)

const (
	appliedTenants   = 200
	applyParallelism = "-parallelism=50"
	highParallelism  = "-parallelism=64"
)

// runProvider compares the provider with one that does nothing, using the same CLI.
func (b *bench) runProvider(ctx context.Context) error {
	if err := b.buildPlugins(ctx); err != nil {
		return err
	}
	if err := b.buildAPI(ctx); err != nil {
		return err
	}
	fmt.Printf("%d tenants in the state, %d rounds; medians, ratios within each round; commits wait for the disk\n\n", b.state, b.rounds)
	return runMeasurements(ctx, b.measureRefreshes, b.measureApplies)
}

// measureRefreshes compares the time of plans with many tenants in the state.
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
	var results []measurement
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
		results = append(results, f)
	}
	connections, err := w.maxConnectionsDuring(ctx, func() error { _, err := t.planUnchanged(ctx, productPlugin, highParallelism); return err })
	if err != nil {
		return nil, err
	}
	results = append(results, atMostMeasurement("database connections, plan "+highParallelism, connections, maxConnections))
	throughAPI, err := w.compareThroughAPI(ctx, t)
	return append(results, throughAPI...), err
}

func atMostMeasurement(what string, got, most int) measurement {
	return measurement{what, fmt.Sprint(got), fmt.Sprintf("<= %d", most), got <= most}
}

// compare runs a command with both providers alternately and swaps their order each round.
// On a machine with other load, CPU time is more reliable than wall time.
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
		limit: fmt.Sprintf("<= %.2f", maxRefreshRatio), ok: ratio <= maxRefreshRatio,
	}, nil
}

// compareThroughAPI measures a plan through tenant-api. It has no limit.
func (w *testPlatform) compareThroughAPI(ctx context.Context, t *workspace) ([]measurement, error) {
	s, err := w.b.startOn(ctx, w.url, w.b.binary, "serve", "--port", "0", "--rate-limit", "1000000")
	if err != nil {
		return nil, err
	}
	defer s.stop()
	viaAPI := *t
	viaAPI.env = []string{"TENANT_API_URL=" + s.url, "TENANT_API_TOKEN=" + s.key}
	// Through tenant-api the state has no contract attributes: the server checks contracts.
	if _, err := viaAPI.run(ctx, productPlugin, "apply", "-auto-approve", "-refresh-only"); err != nil {
		return nil, err
	}
	f, err := w.compare(ctx, &viaAPI, []string{"plan"})
	f.name, f.limit, f.ok = f.name+", through tenant-api", "", true
	return []measurement{f}, err
}

// measureApplies compares how many ledgers close during an apply of new tenants.
func (b *bench) measureApplies(ctx context.Context) ([]measurement, error) {
	w, err := b.newPlatform(ctx, time.Second)
	if err != nil {
		return nil, err
	}
	defer w.close()
	var results []measurement
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
		if round == 0 { // It also uploads the code and creates the channels.
			results = append(results, measurement{fmt.Sprintf("ledgers, first apply of %d tenants", appliedTenants),
				fmt.Sprintf("%d, %d more than noop", with, with-without), "", true})
			continue
		}
		noopLedgers, productLedgers = append(noopLedgers, float64(without)), append(productLedgers, float64(with))
		extraLedgers, took = append(extraLedgers, float64(with-without)), append(took, seconds.Seconds())
	}
	got := int(median(extraLedgers))
	return append(results,
		measurement{fmt.Sprintf("ledgers, apply of %d tenants %s, %d channels", appliedTenants, applyParallelism, apiChannels),
			fmt.Sprintf("%.0f in %.1f s, %d more than %.0f", median(productLedgers), median(took), got, median(noopLedgers)),
			fmt.Sprintf("<= %d more", maxExtraLedgers), got <= maxExtraLedgers},
		atMostMeasurement("database connections, apply "+applyParallelism, peakConnections, maxConnections)), nil
}

// apply applies a configuration of new tenants and counts the ledgers that close meanwhile.
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
