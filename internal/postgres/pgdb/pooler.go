package pgdb

import (
	"context"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

const (
	// probeRounds is how often two connections are compared. In transaction mode an idle
	// pooler gives both the same session at once; a busy one changes those of the first.
	probeRounds = 3
	// probeTimeout limits the comparison: in session mode a full pooler lets the second
	// connection wait.
	probeTimeout = 2 * time.Second
)

// checkPooler returns an error unless a pooler gives c a session of its own. Prepared
// statements, settings, LISTEN and locks belong to a session.
func (s *session) checkPooler(ctx context.Context, c *pgconn.PgConn) error {
	if s.pooled.Load() {
		return nil
	}
	shared, certain, err := s.sharesSessions(ctx, c)
	if err != nil {
		return err
	}
	if shared {
		return errs.Errorf(errs.KindPermanent, "connect to the database",
			"there is a pooler in transaction mode before the database; %s", transactionPooler)
	}
	s.pooled.Store(certain)
	return nil
}

// sharesSessions compares the session of a connection with that of a second one, some
// times. It is not certain when the second one gets none in time.
func (s *session) sharesSessions(ctx context.Context, c *pgconn.PgConn) (shared, certain bool, err error) {
	first, err := backendOf(ctx, c)
	if err != nil {
		return false, false, err
	}
	probeCtx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	config := s.probe.Copy()
	config.ValidateConnect = nil
	config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { // The same server.
		at := c.Conn().RemoteAddr()
		return (&net.Dialer{}).DialContext(ctx, at.Network(), at.String())
	}
	other, err := pgconn.ConnectConfig(probeCtx, &config.Config)
	if err != nil {
		return false, false, nil // Full, or stopping: the next connection asks again.
	}
	defer func() { _ = other.Close(context.WithoutCancel(probeCtx)) }()
	for range probeRounds {
		second, err := backendOf(probeCtx, other)
		if err != nil {
			return false, false, nil // The same.
		}
		again, err := backendOf(ctx, c)
		if err != nil {
			return false, false, err
		}
		if second == first || again != first {
			return true, true, nil
		}
	}
	return false, true, nil
}

// backendOf is the server's process for the next statement of a connection.
func backendOf(ctx context.Context, c *pgconn.PgConn) (string, error) {
	results, err := c.Exec(ctx, `SELECT pg_backend_pid()`).ReadAll()
	if err != nil {
		return "", err
	}
	return string(results[0].Rows[0][0]), nil
}
