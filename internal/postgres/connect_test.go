package postgres_test

import (
	"context"
	"net"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
)

// unresponsiveServer accepts connections and never answers. accepted receives one
// value for each connection.
func unresponsiveServer(t *testing.T) (url string, accepted <-chan struct{}) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	signal := make(chan struct{}, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			signal <- struct{}{}
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return "postgres://ada@" + listener.Addr().String() + "/registry?sslmode=disable", signal
}

func TestDB_FirstUse(t *testing.T) {
	t.Parallel()

	// open returns a DB and the result of a first use that waits for the server.
	open := func(t *testing.T) (*postgres.DB, <-chan error) {
		t.Helper()
		url, accepted := unresponsiveServer(t)
		db, err := postgres.Open(t.Context(), pgdb.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		first := make(chan error, 1)
		go func() {
			_, err := db.Get(context.Background(), uuid.New())
			first <- err
		}()
		<-accepted
		return db, first
	}
	for name, use := range map[string]func(*postgres.DB, context.Context) error{
		"Get": func(db *postgres.DB, ctx context.Context) error {
			_, err := db.Get(ctx, uuid.New())
			return err
		},
		"Migrate": func(db *postgres.DB, ctx context.Context) error { return db.Migrate(ctx) },
	} {
		t.Run(name+"DoesNotWaitForAnotherCallersAttempt", func(t *testing.T) {
			t.Parallel()
			db, first := open(t)
			stopped, stop := context.WithCancel(t.Context())
			stop()
			postgrestest.WantKind(t, use(db, stopped), errs.KindCancelled)
			late, end := context.WithTimeout(t.Context(), 1)
			defer end()
			postgrestest.WantKind(t, use(db, late), errs.KindTransient)
			select {
			case err := <-first:
				t.Errorf("the call returned only after the first attempt ended: %v", err)
			default:
			}
		})
	}

	t.Run("CloseEndsIt", func(t *testing.T) {
		t.Parallel()
		db, first := open(t)
		db.Close()
		postgrestest.WantKind(t, <-first, errs.KindCancelled)
	})
}
