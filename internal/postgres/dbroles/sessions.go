package dbroles

import (
	"context"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

const (
	// endTimeout limits the wait until the sessions of a login have ended. A session ends
	// within milliseconds unless the server has no time for it.
	endTimeout = 5 * time.Second
	// endPoll is the pause between two looks at the sessions.
	endPoll = 10 * time.Millisecond
)

// TerminateSessions tells the sessions of disabled logins to end, and returns how many there
// were. It waits for none.
func TerminateSessions(ctx context.Context, db pgdb.RowQuerier, logins ...string) (open int, err error) {
	// A session keeps the name it logged in with, whatever SET ROLE it did.
	err = db.QueryRow(ctx, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = ANY($1)`, logins).Scan(&open)
	return open, pgdb.Classify(err, "terminate sessions")
}

// EndSessions ends the sessions of disabled logins in all databases of the server, and
// waits until they have ended. KindTransient when that takes too long.
func EndSessions(ctx context.Context, db pgdb.RowQuerier, logins ...string) error {
	const op = "end sessions"
	deadline := time.Now().Add(endTimeout)
	for {
		open, err := TerminateSessions(ctx, db, logins...)
		if err != nil || open == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return errs.Errorf(errs.KindTransient, op, "%d sessions have not ended after %v; it is tried again", open, endTimeout)
		}
		if err := (clock.System{}).Sleep(ctx, endPoll); err != nil {
			return pgdb.Classify(err, op)
		}
	}
}
