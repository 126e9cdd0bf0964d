package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

func (a *app) tenantsMigrate() *cobra.Command {
	var (
		o   postgres.FleetOptions
		arg string
	)
	cmd := &cobra.Command{
		Use: "migrate [--tenant TENANT]", Short: "Bring the schemas of tenants to the newest version", Args: none,
		Long: `Brings the schemas of all tenants that have one to the newest version, each in a
transaction of its own: canaries first, one by one, and when one of them fails no
other is touched. It can be interrupted and repeated at any time, and run in many
places at once.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Canary < -1 || o.Concurrency < 0 {
				return misuse{errors.New("--canary is -1 for none, or more; --concurrency is 1 or more")}
			}
			db, err := a.registry(cmd.Context())
			if err != nil {
				return err
			}
			defer db.Close()
			if arg != "" {
				t, err := findTenant(cmd, db, arg)
				if err != nil {
					return err
				}
				o.Tenant = &t.ID
			}
			bar := newBar()
			o.Progress = func(p postgres.FleetProgress) {
				if p.Err != nil {
					bar.clear()
					fmt.Fprintf(os.Stderr, "tenant %s: %s\n", p.Tenant, message(p.Err))
				}
				bar.show(p.Done, p.Total)
			}
			report, err := db.MigrateTenants(cmd.Context(), o)
			bar.clear()
			if err == nil || report.Migrated > 0 || len(report.Failed) > 0 {
				if o.DryRun {
					fmt.Printf("Version %d: %d tenants to migrate; nothing was changed.\n", report.Version, report.Pending)
				} else {
					fmt.Printf("Version %d: %d of %d tenants migrated, %d failed.\n", report.Version, report.Migrated, report.Pending, len(report.Failed))
				}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&arg, "tenant", "", "only this tenant: an id, or name:NAME")
	cmd.Flags().IntVar(&o.Canary, "canary", postgres.DefaultCanary, "how many tenants go first, one by one; -1 for none")
	cmd.Flags().IntVar(&o.Concurrency, "concurrency", postgres.DefaultFleetConcurrency, "how many tenants are at it at once after that")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "count and change nothing")
	return cmd
}

func (a *app) tenantsVerify() *cobra.Command {
	var offline bool
	cmd := &cobra.Command{
		Use: "verify [TENANT]", Short: "Check audit chains, schema versions, role grants and contracts", Args: cobra.MaximumNArgs(1),
		Long: fmt.Sprintf(`Checks one tenant, or all of them and the platform: the hash chains of the audit
log and of the tenant's own audit_logs, the version of its schema, what its role
may do, and its contract on the ledger. Each finding names the first row that does
not fit. The exit code is %d when there are findings.`, exitFindings),
		RunE: func(cmd *cobra.Command, args []string) error {
			verifier, db, done, err := a.verifier(cmd.Context(), offline)
			if err != nil {
				return err
			}
			defer done()
			var report verification
			if len(args) == 1 {
				t, err := findTenant(cmd, db, args[0])
				if err != nil {
					return err
				}
				findings, err := verifier.Tenant(cmd.Context(), t.ID)
				report.add(t.ID, findings, err)
			} else {
				err = verifier.All(cmd.Context(), report.add)
			}
			return errors.Join(report.end(), plainError(err))
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "do not look at the ledger; the database's settings are enough then")
	return cmd
}

// plainError keeps a join of errors, each of which was told, from being told again.
func plainError(err error) error {
	if err == nil {
		return nil
	}
	return exitError{exitFailed}
}

// verifier wires what checks tenants; without the ledger it needs no more than the
// database.
func (a *app) verifier(ctx context.Context, offline bool) (*provisioning.Verifier, *postgres.DB, func(), error) {
	if offline {
		db, err := a.registry(ctx)
		if err != nil {
			return nil, nil, nil, err
		}
		verifier, err := offlineVerifier(db)
		return verifier, db, db.Close, err
	}
	log, err := a.logger()
	if err != nil {
		return nil, nil, nil, err
	}
	s, err := a.readSettings()
	if err != nil {
		return nil, nil, nil, err
	}
	p, err := wire(ctx, s, wiringOptions{log: log})
	if err != nil {
		return nil, nil, nil, err
	}
	verifier, err := provisioning.NewVerifier(p.service, p.db, p.deployer)
	return verifier, p.db, p.close, err
}

func offlineVerifier(db *postgres.DB) (*provisioning.Verifier, error) {
	pipeline, err := provisioning.NewPipeline(db, offlinePorts{}, offlinePorts{}, provisioning.PipelineOptions{})
	if err != nil {
		return nil, err
	}
	service, err := provisioning.NewService(db, pipeline)
	if err != nil {
		return nil, err
	}
	return provisioning.NewVerifier(service, db, nil)
}

// offlinePorts are those of a command that only looks at the database.
type offlinePorts struct{}

var errOffline = provisioning.Errorf(provisioning.KindPermanent, "work offline", "this command neither deploys nor sends")

func (offlinePorts) Deploy(context.Context, provisioning.Tenant, provisioning.Journal) (provisioning.Contract, error) {
	return provisioning.Contract{}, errOffline
}
func (offlinePorts) ContractID(uuid.UUID) (string, error)                        { return "", errOffline }
func (offlinePorts) SendWelcome(context.Context, provisioning.WelcomeMail) error { return errOffline }
func (offlinePorts) SendFailure(context.Context, provisioning.FailureMail) error { return errOffline }

// verification is what "verify" tells.
type verification struct{ tenants, findings, unchecked int }

func (v *verification) add(id uuid.UUID, findings []provisioning.Finding, err error) {
	who := "platform"
	if id != uuid.Nil {
		who, v.tenants = "tenant "+id.String(), v.tenants+1
	}
	for _, f := range findings {
		v.findings++
		fmt.Printf("%s: %s: %s\n", who, f.Subject, plain(f.Message))
	}
	if err != nil {
		v.unchecked++
		fmt.Fprintf(os.Stderr, "%s: could not be checked: %s\n", who, message(err))
	}
}

func (v *verification) end() error {
	fmt.Fprintf(os.Stderr, "%d tenants checked, %d findings, %d that could not be checked\n", v.tenants-v.unchecked, v.findings, v.unchecked)
	switch {
	case v.unchecked > 0:
		return exitError{exitFailed}
	case v.findings > 0:
		return exitError{exitFindings}
	}
	return nil
}
