package postgres

import (
	"context"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// DB is a database and the stores on it, one for each concern. All are safe for
// concurrent use.
type DB struct {
	*Database
	*Registry
	*Creations
	*Lifecycle
	*Runs
	*WelcomeMails
	*Orphans
	*Schemas
	*Logins
	*Checks
	*Transactions
	*Contracts
	*AuditLog
	APIKeys *APIKeyStore
}

var (
	_ provisioning.Store           = (*DB)(nil)
	_ provisioning.Runs            = (*DB)(nil)
	_ provisioning.OrphanStore     = (*DB)(nil)
	_ contracts.Store              = (*DB)(nil)
	_ inspection.Store             = (*DB)(nil)
	_ credentials.Store            = (*DB)(nil)
	_ verification.RegistryChecker = (*DB)(nil)
	_ access.Store                 = (*APIKeyStore)(nil)
)

// Open reads the settings and prepares a pool and its stores. It does not connect: the
// first use connects and migrates. KindInvalid when the settings cannot be read.
func Open(ctx context.Context, o Options) (*DB, error) {
	db, err := OpenDatabase(ctx, o)
	if err != nil {
		return nil, err
	}
	uncertain := &UncertainLeases{}
	logins := NewLogins(db)
	return &DB{
		Database: db, Registry: NewRegistry(db), Creations: NewCreations(db), Lifecycle: NewLifecycle(db, logins),
		Runs: NewRuns(db, uncertain), WelcomeMails: NewWelcomeMails(db), Orphans: NewOrphans(db), Schemas: NewSchemas(db),
		Logins: logins, Checks: NewChecks(db), Transactions: NewTransactions(db, uncertain), Contracts: NewContracts(db),
		AuditLog: NewAuditLog(db), APIKeys: NewAPIKeyStore(db),
	}, nil
}

// Queue adds jobs in transactions of the registry, and replaces those that were lost.
type Queue interface {
	JobQueue
	JobRescuer
}

// UseQueue sets the queue of Submit, Requeue and FindOrphans. It must be called before
// them.
func (d *DB) UseQueue(q Queue) {
	d.Creations.UseQueue(q)
	d.Orphans.UseQueue(q)
}
