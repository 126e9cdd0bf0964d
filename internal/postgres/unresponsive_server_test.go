package postgres_test

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// failover is a database behind a balancer: after failOver, connections that exist are
// hanging for ever, and new ones work.
type failover struct {
	url        string
	generation atomic.Int32
	opened     atomic.Int32
	// hangAfter, if set, makes the first connection hang after that many bytes from
	// the server.
	hangAfter int
}

func newFailover(t *testing.T, database string) *failover {
	t.Helper()
	listener, u, target := testenv.ListenBefore(t, database)
	f := &failover{url: u.String()}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				_ = client.Close()
				continue
			}
			t.Cleanup(func() { _ = client.Close(); _ = server.Close() })
			generation, number := f.generation.Load(), f.opened.Add(1)
			go f.relay(server, client, generation, 0)
			limit := 0
			if number == 1 {
				limit = f.hangAfter
			}
			go f.relay(client, server, generation, limit)
		}
	}()
	return f
}

func (f *failover) failOver() { f.generation.Add(1) }

// relay copies bytes; after a failover, or after limit bytes if that is not 0, it reads
// and forwards nothing.
func (f *failover) relay(to io.Writer, from io.Reader, generation int32, limit int) {
	buffer := make([]byte, 1<<16)
	for sent := 0; ; {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if f.generation.Load() == generation && (limit == 0 || sent < limit) {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		sent += n
	}
}

func (f *failover) open(t *testing.T, o pgdb.Options) *postgres.DB {
	t.Helper()
	o.URL = f.url
	db, err := postgres.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

// noDeployment is a platform on which nothing but the database is used.
type noDeployment struct{}

func (noDeployment) ContractID(uuid.UUID) (string, error) { return postgrestest.ContractID, nil }

func (noDeployment) Deploy(context.Context, tenant.Tenant, txlog.Log) (contracts.Contract, error) {
	return contracts.Contract{ID: postgrestest.ContractID}, nil
}

func (noDeployment) SendWelcome(context.Context, provisioning.WelcomeMail, provisioning.MailWait) error {
	return nil
}

func (noDeployment) SendFailure(context.Context, provisioning.FailureMail, provisioning.MailWait) error {
	return nil
}

// newService is a service on a database; it deploys and mails nothing.
func newService(t *testing.T, db *postgres.DB) *provisioning.Service {
	t.Helper()
	pipeline, err := provisioning.NewPipeline(db, noDeployment{}, noDeployment{}, provisioning.PipelineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	service, err := provisioning.NewService(db, pipeline)
	if err != nil {
		t.Fatal(err)
	}
	return service
}

// idle is longer than the time after which the pool pings a connection before its use.
const idle = 1100 * time.Millisecond

func TestDB_UnresponsiveServer(t *testing.T) {
	t.Parallel()
	quick := pgdb.Options{AnswerTimeout: 300 * time.Millisecond}

	t.Run("FirstConnection", func(t *testing.T) { // Later callers get another connection.
		t.Parallel()
		f := newFailover(t, testenv.Database(t))
		f.hangAfter = 200 // After the handshake.
		db := f.open(t, quick)
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			_, err := db.Get(ctx, uuid.New())
			cancel()
			if errs.KindOf(err) == errs.KindNotFound {
				return // The registry answered.
			}
			postgrestest.WantKind(t, err, errs.KindTransient)
		}
		t.Errorf("the registry stays unusable, with %d connections", f.opened.Load())
	})

	t.Run("ProvisionAfterFailover", func(t *testing.T) {
		t.Parallel()
		f := newFailover(t, testenv.Database(t))
		db := f.open(t, quick)
		service := newService(t, db)
		if _, err := service.List(t.Context(), tenant.ListQuery{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(idle) // The pool measures real time.
		f.failOver()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if out, err := service.Provision(ctx, postgrestest.Inputs("Clinic")); err != nil || out.Tenant.Status != tenant.StatusActive {
			t.Errorf("%s, %v", out.Tenant.Status, err)
		}
	})

	t.Run("ReconcilerAfterFailover", func(t *testing.T) {
		t.Parallel()
		database := testenv.Database(t)
		f, direct := newFailover(t, database), postgrestest.Open(t, pgdb.Options{URL: database})
		db := f.open(t, quick)
		service := newService(t, db)
		reconciler, err := provisioning.NewReconciler(db, service, provisioning.ReconcilerOptions{HeartbeatTimeout: 1, AbandonAfter: 1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := reconciler.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		orphan := direct.ClaimNew(postgrestest.Inputs("Clinic")).Tenant.ID
		direct.Exec(`UPDATE tenants SET run_expires_at = now() - interval '1 hour'`)
		time.Sleep(idle) // The pool measures real time.
		f.failOver()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for ctx.Err() == nil {
			_, _ = reconciler.Pass(ctx) // It may fail once for each connection.
			if found, err := direct.Get(t.Context(), orphan); err != nil || found.Status == tenant.StatusFailed {
				postgrestest.WantKind(t, err, "")
				return
			}
		}
		t.Error("no pass finished the orphan within a minute")
	})

	t.Run("Statement", func(t *testing.T) {
		t.Parallel()
		f := newFailover(t, testenv.Database(t))
		db := f.open(t, pgdb.Options{StatementLimit: 300 * time.Millisecond})
		sleep := func(ctx context.Context) error {
			return db.InTx(ctx, "sleep", func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, `SELECT pg_sleep(0.6)`)
				return err
			})
		}
		postgrestest.WantKind(t, sleep(t.Context()), errs.KindTransient)
		postgrestest.WantKind(t, sleep(pgdb.WithoutStatementLimit(t.Context())), "")
		err := db.InTx(t.Context(), "stop answering", func(tx pgx.Tx) error {
			f.failOver()
			return tx.QueryRow(t.Context(), `SELECT 1`).Scan(new(int))
		})
		postgrestest.WantKind(t, err, errs.KindTransient)
	})
}
