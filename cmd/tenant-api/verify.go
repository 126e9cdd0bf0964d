package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

func (a *cli) tenantsVerify() *cobra.Command {
	var offline, onchain, printed bool
	cmd := &cobra.Command{
		Use: "verify [TENANT]", Short: "Check audit chains, schema versions, privileges of roles, and contracts", Args: atMostOneTenantArg,
		Long: fmt.Sprintf(`Checks one tenant, or the registry and all tenants. It checks the audit chain, the chain
of the tenant's own audit_logs, the version of the schema, the privileges of the role,
and the contract on the ledger. Each finding names the first row that does not match.
The exit code is %d when there are findings.

The registry owner could rewrite a chain without a trace, so the chain is also compared
with its anchor on the ledger. Events after the newest anchor are not covered;
"tenant-api contracts anchor" anchors them. The check of the registry also finds tenants
whose rows were deleted: by what is left of them in the database, and by the contracts
that this registry created or anchored in lately.

%s`, exitFindings, tenantHelp),
		Example: "  tenant-api tenants verify\n  tenant-api tenants verify name:Clinic --offline",
		RunE: func(cmd *cobra.Command, args []string) error {
			if offline && onchain {
				return usageErrorf(cmd, "give --onchain or --offline, not both")
			}
			named, err := parseTenants(cmd, args)
			if err != nil {
				return err
			}
			v, err := a.newVerification(cmd.Context(), offline)
			if err != nil {
				return err
			}
			defer v.registry.Close()
			v.printed = printed
			if len(named) == 1 {
				t, err := named[0].find(cmd.Context(), v.services)
				if err != nil {
					return err
				}
				findings, err := v.Tenant(cmd.Context(), t.ID)
				v.addFindings(t.ID, findings, err)
				return v.finish()
			}
			err = v.All(cmd.Context(), v.addFindings)
			if err != nil && v.failedChecks == 0 { // The list of tenants cannot be read.
				return err
			}
			return errors.Join(v.finish(), reportedError(err))
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "do not read the ledger; needs only the settings of the database")
	cmd.Flags().BoolVar(&onchain, "onchain", false, "read contracts and anchors from the ledger (the default)")
	cmd.Flags().BoolVar(&printed, "json", false, "print JSON")
	return cmd
}

// reportedError marks errors that were already printed, so that they are not printed again.
func reportedError(err error) error {
	if err == nil {
		return nil
	}
	return exitError{exitFailed}
}

// verifyCommand is the state of "tenants verify".
type verifyCommand struct {
	app.Verifier
	registry               *postgres.DB
	services               *app.Services
	offline                bool
	printed                bool // As JSON, at the end.
	tenants                int  // Those that were checked.
	findings, failedChecks int
	report                 dto.Verification
}

// newVerification returns the verifier. Offline it needs only the database's settings, and
// never those of mail.
func (a *cli) newVerification(ctx context.Context, offline bool) (*verifyCommand, error) {
	v := &verifyCommand{offline: offline}
	var ledger app.Ledger
	if offline {
		s, err := a.services(ctx)
		if err != nil {
			return nil, err
		}
		v.registry, v.services = s.db, s.Services
	} else {
		c, err := a.openStellar(ctx)
		if err != nil {
			return nil, err
		}
		v.registry, v.services, ledger = c.db, c.services, app.Ledger{Contracts: c.deployer, Unknown: c.reconciler}
	}
	var err error
	v.Verifier, err = app.NewVerifier(v.registry, ledger)
	return v, err
}

func (v *verifyCommand) addFindings(id uuid.UUID, findings []verification.Finding, err error) {
	subject := "registry"
	if id != uuid.Nil {
		subject = "tenant " + id.String()
		if err == nil {
			v.tenants++
		}
	}
	for _, f := range findings {
		kind := string(f.Subject)
		if f.Unmanaged {
			kind = "unmanaged"
		} else {
			v.findings++
		}
		if !v.printed {
			fmt.Printf("%s: %s: %s\n", subject, kind, singleLine(f.Message))
		}
	}
	v.report.Findings = append(v.report.Findings, dto.NewFindings(id, findings)...)
	if err != nil {
		v.failedChecks++
		v.report.Unchecked = append(v.report.Unchecked, dto.Unchecked{TenantID: dto.ID(id), Error: userMessage(err)})
		fmt.Fprintf(os.Stderr, "%s: could not be checked: %s\n", subject, userMessage(err))
	}
}

func (v *verifyCommand) finish() error {
	if v.printed {
		r := v.report
		r.Tenants, r.AnchorsCompared, r.Offline = v.tenants, v.AnchorsCompared, v.offline
		r.Findings, r.Unchecked = dto.List(r.Findings), dto.List(r.Unchecked)
		if err := printJSON(r); err != nil {
			return err
		}
	}
	ledger := fmt.Sprintf("%d audit chains compared with their anchors on the ledger", v.AnchorsCompared)
	if v.offline {
		ledger = "the ledger was not read"
	}
	fmt.Fprintf(os.Stderr, "%d tenants checked, %d findings, %d that could not be checked; %s\n", v.tenants, v.findings, v.failedChecks, ledger)
	switch {
	case v.failedChecks > 0:
		return exitError{exitFailed}
	case v.findings > 0:
		return exitError{exitFindings}
	}
	return nil
}

func (a *cli) tenantsRepair() *cobra.Command {
	return &cobra.Command{
		Use: "repair TENANT", Short: "Repair the privileges of a tenant's database role", Args: oneTenantArg,
		Long: `Repairs what "tenant-api tenants verify" finds about the database role of an active
tenant. Privileges that the role lacks are granted, and those that it must not have are
revoked. Some findings only a person can repair, such as a table that the role owns.
When there is one of these, nothing is changed.

` + tenantHelp,
		Example: "  tenant-api tenants repair name:Clinic",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, t, err := a.openTenant(cmd, args[0], tenantArg.find)
			if err != nil {
				return err
			}
			defer s.close()
			_, repaired, err := s.Repair(cmd.Context(), t.ID)
			if err != nil {
				return err
			}
			for _, drift := range repaired {
				fmt.Println("repaired: " + drift)
			}
			if len(repaired) == 0 {
				fmt.Fprintln(os.Stderr, "nothing to repair")
			}
			return nil
		},
	}
}
