package provisioning

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// prepareSchema runs three steps in one transaction, which takes a third of the time of
// three transactions (DESIGN, section 2).
func (x *execution) prepareSchema() error {
	user, err := uuid.NewV7()
	if err != nil {
		return errs.Wrap(err, errs.KindPermanent, "choose user id", "the system returned no random numbers")
	}
	invitation := invitation.NewInvitation(x.opts.Clock.Now())
	seed := Seed{AdminUser: user, Roles: DefaultRoles(), Invitation: invitation, Next: tenant.StepDeploySorobanContract}
	var took tenant.Durations
	err = x.retry(tenant.StepCreateSchema, func() (err error) {
		took, err = x.steps.PrepareSchema(x.workCtx, x.run, seed)
		return err
	})
	if err != nil {
		return err
	}
	x.run.Checkpoint, x.run.AdminUser, x.invitation = tenant.StepSeedRolesAndUser, user, invitation
	for _, step := range []tenant.Step{tenant.StepCreateSchema, tenant.StepRunMigrations, tenant.StepSeedRolesAndUser} {
		x.notify(step, tenant.StepCompleted, took[step], nil)
	}
	return nil
}

// deployContract deploys the contract and buffers the result for the next commit.
func (x *execution) deployContract(started time.Time) error {
	var contract contracts.Contract
	err := x.retry(tenant.StepDeploySorobanContract, func() (err error) {
		contract, err = x.deployer.Deploy(x.workCtx, x.run.Tenant, x.steps.TransactionLog(x.run))
		return err
	})
	if err != nil {
		return err
	}
	took := x.opts.since(started)
	x.addPending(tenant.StepDeploySorobanContract, contract.LogFields(), took)
	x.pending.ContractID = contract.ID
	x.notify(tenant.StepDeploySorobanContract, tenant.StepCompleted, took, nil)
	if contract.TransactionHash == "" {
		// The contract existed already. A crash now would lose nothing, so its address is
		// stored with the next commit.
		took = x.opts.since(x.opts.Clock.Now())
		x.addPending(tenant.StepStoreContractAddress, nil, took)
		x.notify(tenant.StepStoreContractAddress, tenant.StepCompleted, took, nil)
		x.run.Checkpoint = tenant.StepStoreContractAddress
	}
	return nil
}

// storeContract commits the address of a contract that this run deployed.
func (x *execution) storeContract() error {
	if x.pending.ContractID == "" {
		// The previous run deployed the contract, stored the result and stopped.
		x.pending.ContractID = x.run.Tenant.ContractID
	}
	if x.pending.ContractID == "" {
		return errs.Errorf(errs.KindPermanent, "store contract address", "the address is not known; the registry was changed by hand")
	}
	x.addPending(tenant.StepStoreContractAddress, nil, 0) // 0: the registry records the duration of the write.
	x.pending.Records = append(x.pending.Records, tenant.StepRecord{Step: tenant.StepSendWelcomeEmail, Status: tenant.StepInProgress})
	var took tenant.Durations
	err := x.retry(tenant.StepStoreContractAddress, func() (err error) {
		took, err = x.commitPending(x.workCtx)
		return err
	})
	if err != nil {
		return err
	}
	x.notify(tenant.StepStoreContractAddress, tenant.StepCompleted, took[tenant.StepStoreContractAddress], nil)
	return nil
}

// sendWelcome sends the welcome mail, then commits its outcome and activates the tenant.
func (x *execution) sendWelcome(started time.Time) error {
	if x.invitation.Token() == "" {
		invitation := invitation.NewInvitation(x.opts.Clock.Now())
		if err := x.retry(tenant.StepSendWelcomeEmail, func() error { return x.steps.AddInvitation(x.workCtx, x.run, invitation) }); err != nil {
			return err
		}
		x.invitation = invitation
	}
	t := x.run.Tenant
	if x.pending.ContractID != "" {
		t.ContractID = x.pending.ContractID
	}
	sent := x.retry(tenant.StepSendWelcomeEmail, func() error {
		return x.mailer.SendWelcome(x.workCtx, WelcomeMail{
			Tenant: t, Invitation: x.invitation.Token(), ExpiresAt: x.invitation.ExpiresAt, Serial: x.run.MailSerial,
		})
	})
	status, err := x.welcomeMailOutcome(sent)
	if err != nil {
		return err
	}
	if x.options.CancelOnDisconnect && x.callerCtx.Err() != nil {
		return context.Canceled // The next run sends the mail again, with the same Message-ID.
	}
	took := x.opts.since(started)
	record := tenant.StepRecord{Step: tenant.StepSendWelcomeEmail, Status: tenant.StepCompleted, Duration: took}
	if sent != nil {
		record.Status, record.Error = tenant.StepFailed, errs.SafeMessage(sent)
		x.warnings = append(x.warnings, errs.SafeMessage(sent))
	}
	x.pending.Records = append(x.pending.Records, record)
	x.pending.Checkpoint, x.pending.WelcomeEmail, x.pending.Activate = tenant.StepSendWelcomeEmail, status, true
	if err := x.activate(); err != nil {
		return err
	}
	x.notify(tenant.StepSendWelcomeEmail, record.Status, took, sent)
	return nil
}

// activate makes the tenant live. It uses a context that does not end with the lease: the
// commit releases the lease, so the next heartbeat is refused and cancels workCtx, perhaps
// before the commit has returned. The registry fences this write by the epoch.
func (x *execution) activate() error {
	ctx, cancel := x.cleanupContext()
	defer cancel()
	return x.opts.Retry.Do(ctx, x.opts.Clock, func() error {
		_, err := x.commitPending(ctx)
		return err
	}, nil)
}

// welcomeMailOutcome returns the status of the welcome mail, or an error when the tenant
// must not go live without the mail.
func (x *execution) welcomeMailOutcome(sent error) (tenant.WelcomeEmailStatus, error) {
	switch kind := errs.KindOf(sent); {
	case sent == nil:
		return tenant.WelcomeEmailSent, nil
	case kind == errs.KindFenced, kind == errs.KindCancelled, x.opts.MailFailure == MailFailureFail,
		kind == errs.KindTransient && x.callerCtx.Err() != nil: // Stopped before the last try: the next run sends it.
		return "", sent
	case kind == errs.KindTransient:
		return tenant.WelcomeEmailPending, nil
	default:
		return tenant.WelcomeEmailFailed, nil
	}
}

func (x *execution) addPending(step tenant.Step, result map[string]any, took time.Duration) {
	x.pending.Checkpoint = step
	x.pending.Records = append(x.pending.Records, tenant.StepRecord{Step: step, Status: tenant.StepCompleted, Result: result, Duration: took})
}
