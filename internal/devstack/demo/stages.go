//go:build unix

package demo

import (
	"context"
	"fmt"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stack"
)

// apply creates the tenant, and shows its state in every service.
func (d *demoRun) apply(ctx context.Context) error {
	outcome := new(string)
	if err := d.screen.runStageWithOutcome(d.cli.name()+" apply", outcome, func() error { return d.cli.applyChange(ctx, "apply", outcome) }); err != nil {
		return err
	}
	var (
		shown  tenantState
		ledger ledgerContract
		mail   mailcatcher.Message
	)
	err := d.screen.runStage("Read it back from database, ledger and mailbox", func() (err error) {
		id, err := d.cli.output(ctx, "id")
		if err != nil {
			return err
		}
		if shown, err = readTenant(ctx, d.stack, id); err != nil {
			return err
		}
		if err := shown.checkStatus("ACTIVE"); err != nil {
			return err
		}
		if ledger, err = readContract(ctx, d.stack, shown.contract); err != nil {
			return err
		}
		mail, err = readMail(d.stack, shown)
		return err
	})
	if err != nil {
		return err
	}
	d.screen.printTenant(shown)
	d.screen.printSteps(shown.steps)
	d.screen.printTables(shown)
	d.screen.printContract(ledger)
	d.screen.printMail(mail)
	return nil
}

// planUnchanged shows that a second plan has no changes.
func (d *demoRun) planUnchanged(ctx context.Context) error {
	outcome := new(string)
	return d.screen.runStageWithOutcome(d.cli.name()+" plan, again", outcome, func() error {
		*outcome = "no changes"
		return d.cli.planExpectNoChanges(ctx)
	})
}

// destroy archives the tenant, and shows what is kept.
func (d *demoRun) destroy(ctx context.Context) error {
	id, err := d.cli.output(ctx, "id")
	if err != nil {
		return err
	}
	before, err := readTenant(ctx, d.stack, id)
	if err != nil {
		return err
	}
	outcome := new(string)
	if err := d.screen.runStageWithOutcome(d.cli.name()+" destroy", outcome, func() error { return d.cli.applyChange(ctx, "destroy", outcome) }); err != nil {
		return err
	}
	var after tenantState
	err = d.screen.runStage("Look for what is kept", func() (err error) {
		if after, err = readTenant(ctx, d.stack, id); err != nil {
			return err
		}
		if err := after.checkStatus("ARCHIVED"); err != nil {
			return err
		}
		return after.checkKept(before)
	})
	if err != nil {
		return err
	}
	d.screen.printKept(after)
	return nil
}

func readMail(s *stack.Stack, t tenantState) (mailcatcher.Message, error) {
	for _, m := range s.MailCatcher.Messages() {
		if strings.Contains(m.Text, t.id) {
			return m, nil
		}
	}
	return mailcatcher.Message{}, fmt.Errorf("no mail names the tenant %s", t.id)
}
