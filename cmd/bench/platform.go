//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stellar/go-stellar-sdk/clients/rpcclient"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
)

// testPlatform is what a provider needs: database, Stellar network and settings.
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

// importTenants provisions tenants with contracts and has the provider import them into a
// state.
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
		return nil, fmt.Errorf("%d tenants exist, not %d", len(ids), tenants)
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

// provisionTenants provisions tenants with the service, without the CLI.
func (w *testPlatform) provisionTenants(ctx context.Context, tenants int) error {
	db, err := postgres.Open(ctx, pgdb.Options{URL: w.url, MaxConnections: 16})
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
	pipeline, err := provisioning.NewPipeline(db, chain, discardMailer{}, provisioning.PipelineOptions{StepSender: instantReceiver{}})
	if err != nil {
		return err
	}
	service, err := provisioning.NewService(db, pipeline)
	if err != nil {
		return err
	}
	return w.b.provisionConcurrently(ctx, service, tenants, 2*apiChannels)
}

// maxConnectionsDuring returns the largest number of connections the provider had while do ran.
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
			time.Sleep(10 * time.Millisecond) // Connections can only be polled.
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

// latestLedger returns the sequence of the last closed ledger.
func (w *testPlatform) latestLedger(ctx context.Context) (int, error) {
	client := rpcclient.NewClient(w.network.RPCURL(), nil)
	defer func() { _ = client.Close() }()
	latest, err := client.GetLatestLedger(ctx)
	return int(latest.Sequence), err
}
