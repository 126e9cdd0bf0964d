//go:build unix

package demo

import (
	"context"
	"fmt"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stack"
)

// apply makes the tenant, and shows it from every side.
func (d *demo) apply(ctx context.Context) error {
	outcome := new(string)
	if err := d.screen.report(d.cli.name()+" apply", outcome, func() error { return d.cli.change(ctx, "apply", outcome) }); err != nil {
		return err
	}
	var (
		shown  tenant
		ledger contractOnLedger
		mail   mailcatcher.Message
	)
	err := d.screen.stage("Read it back from database, ledger and mailbox", func() (err error) {
		id, err := d.cli.output(ctx, "id")
		if err != nil {
			return err
		}
		if shown, err = readTenant(ctx, d.stack, id); err != nil {
			return err
		}
		if err := shown.check("ACTIVE"); err != nil {
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
	d.screen.tenant(shown)
	d.screen.steps(shown.steps)
	d.screen.tables(shown)
	d.screen.contract(ledger)
	d.screen.mail(mail)
	return nil
}

// planAgain shows that there is nothing left to do.
func (d *demo) planAgain(ctx context.Context) error {
	outcome := new(string)
	return d.screen.report(d.cli.name()+" plan, again", outcome, func() error {
		*outcome = "no changes"
		return d.cli.unchanged(ctx)
	})
}

// destroy takes the tenant out of service, and shows what is kept of it.
func (d *demo) destroy(ctx context.Context) error {
	id, err := d.cli.output(ctx, "id")
	if err != nil {
		return err
	}
	before, err := readTenant(ctx, d.stack, id)
	if err != nil {
		return err
	}
	outcome := new(string)
	if err := d.screen.report(d.cli.name()+" destroy", outcome, func() error { return d.cli.change(ctx, "destroy", outcome) }); err != nil {
		return err
	}
	var after tenant
	err = d.screen.stage("Look for what is kept", func() (err error) {
		if after, err = readTenant(ctx, d.stack, id); err != nil {
			return err
		}
		if err := after.check("ARCHIVED"); err != nil {
			return err
		}
		return after.keeps(before)
	})
	if err != nil {
		return err
	}
	d.screen.kept(after)
	return nil
}

func readMail(s *stack.Stack, t tenant) (mailcatcher.Message, error) {
	for _, m := range s.Mail.Messages() {
		if strings.Contains(m.Text, t.id) {
			return m, nil
		}
	}
	return mailcatcher.Message{}, fmt.Errorf("no mail names the tenant %s", t.id)
}
