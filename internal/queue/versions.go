package queue

import (
	"context"

	"github.com/riverqueue/river/rivermigrate"
)

// Versions returns the version of River's tables, 0 before the first migration, and the
// version that this program knows.
func (q *Queue) Versions(ctx context.Context) (current, newest int, err error) {
	migrator, err := rivermigrate.New(q.driver, &rivermigrate.Config{Logger: q.riverLog})
	if err != nil {
		return 0, 0, classify(err, "set up queue migrations")
	}
	current, err = q.appliedVersion(ctx)
	return current, newestVersion(migrator), classify(err, "read queue version")
}
