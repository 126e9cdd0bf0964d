package provisioning

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// prepareSchema runs three steps in one transaction, which takes a third of the time of
// three transactions; see ADR 2.
func (x *execution) prepareSchema() error {
	user, err := uuid.NewV7()
	if err != nil {
		return errs.Wrap(err, errs.KindPermanent, "choose user id", "the system returned no random numbers")
	}
	invitation := x.opts.newInvitation()
	seed := Seed{AdminUser: user, Invitation: invitation, Next: tenant.StepDeploySorobanContract}
	if x.run.Tenant.WithoutContract {
		seed.Next = tenant.StepSendWelcomeEmail
	}
	seeded := tenant.StepCompleted
	if x.run.Tenant.WithoutUsers {
		seed.AdminUser, seeded = uuid.Nil, tenant.StepSkipped
	}
	var took tenant.Durations
	end := x.startSpan("prepare schema")
	for range x.tries(tenant.StepCreateSchema, &err) {
		took, err = x.steps.PrepareSchema(x.workCtx, x.run, seed)
	}
	if err == nil {
		x.recordSpans(x.workCtx, took, tenant.StepCreateSchema, tenant.StepRunMigrations, tenant.StepSeedRolesAndUser)
	}
	if end(err); err != nil {
		return err
	}
	x.run.Checkpoint, x.run.AdminUser, x.invitation = tenant.StepSeedRolesAndUser, seed.AdminUser, invitation
	for _, step := range []tenant.Step{tenant.StepCreateSchema, tenant.StepRunMigrations} {
		x.notify(step, tenant.StepCompleted, took[step], nil)
	}
	x.notify(tenant.StepSeedRolesAndUser, seeded, took[tenant.StepSeedRolesAndUser], nil)
	return nil
}

// skipContract records that the tenant does without a contract. The next commit writes it.
func (x *execution) skipContract() {
	for _, step := range []tenant.Step{tenant.StepDeploySorobanContract, tenant.StepStoreContractAddress} {
		x.pending.Checkpoint = step
		x.pending.Records = append(x.pending.Records, tenant.StepRecord{Step: step, Status: tenant.StepSkipped})
		x.run.Checkpoint = step
		x.notify(step, tenant.StepSkipped, 0, nil)
	}
}

// deployContract deploys the contract and buffers the result for the next commit.
func (x *execution) deployContract(started time.Time) error {
	var (
		contract contracts.Contract
		err      error
	)
	for range x.tries(tenant.StepDeploySorobanContract, &err) {
		contract, err = x.deployer.Deploy(x.workCtx, x.run.Tenant, x.steps.TransactionLog(x.run))
	}
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
	next, err := x.stepAfterStore()
	if err != nil {
		return err
	}
	x.addPending(tenant.StepStoreContractAddress, nil, 0) // 0: the registry records the duration of the write.
	x.pending.Records = append(x.pending.Records, tenant.StepRecord{Step: next, Status: tenant.StepInProgress})
	var took tenant.Durations
	for range x.tries(tenant.StepStoreContractAddress, &err) {
		took, err = x.commitPending(x.workCtx)
	}
	if err != nil {
		return err
	}
	x.notify(tenant.StepStoreContractAddress, tenant.StepCompleted, took[tenant.StepStoreContractAddress], nil)
	return nil
}

// sendWelcome sends the welcome mail, then commits its outcome and activates the tenant.
func (x *execution) sendWelcome(started time.Time) error {
	if x.run.Tenant.WelcomeEmail == tenant.WelcomeEmailSkipped {
		return x.activateWithoutMail()
	}
	mail := x.followMail(x.workCtx, x.run.Tenant, MailRef{x.run.Tenant.ID, x.run.Tenant.Attempt, x.run.MailSerial, x.run.MailClaim}, started)
	defer func() { mail.release(false) }()
	sent := error(ErrMailUnconfirmed) // Of an earlier run, which ended without its outcome.
	if !x.run.Unanswered {
		if err := x.ensureInvitation(); err != nil {
			return err
		}
		sent = x.sendMail(mail)
	}
	if err := x.stopsActivation(sent); err != nil {
		return err
	}
	if x.options.CancelOnDisconnect && x.callerCtx.Err() != nil {
		// The next run sends the mail again, with the same Message-ID, unless there is no answer.
		if errors.Is(sent, ErrMailUnanswered) || errors.Is(sent, ErrMailUnconfirmed) {
			if err := mail.unanswered(true); err != nil {
				return err
			}
		}
		return context.Canceled
	}
	o := outcomeOf(sent, x.opts.since(started))
	if sent != nil {
		x.warnings = append(x.warnings, errs.SafeMessage(sent))
	}
	x.pending.Records = append(x.pending.Records, o.Record)
	x.pending.Checkpoint, x.pending.WelcomeEmail, x.pending.Activate = tenant.StepSendWelcomeEmail, o.Status, true
	x.pending.MailHold, x.pending.Unanswered = o.Hold, o.Unanswered
	if err := x.activate(); err != nil {
		return err
	}
	mail.release(true)
	x.notify(tenant.StepSendWelcomeEmail, o.Record.Status, o.Record.Duration, sent)
	return nil
}

// activateWithoutMail ends the run of a tenant that was adopted: its people know it.
func (x *execution) activateWithoutMail() error {
	x.pending.Records = append(x.pending.Records, tenant.StepRecord{Step: tenant.StepSendWelcomeEmail, Status: tenant.StepSkipped})
	x.pending.Checkpoint, x.pending.Activate = tenant.StepSendWelcomeEmail, true
	if err := x.activate(); err != nil {
		return err
	}
	x.notify(tenant.StepSendWelcomeEmail, tenant.StepSkipped, 0, nil)
	return nil
}

// sendMail sends the welcome mail, within the time that the policy allows.
func (x *execution) sendMail(follower *welcomeFollower) error {
	t := x.run.Tenant
	if x.pending.ContractID != "" {
		t.ContractID = x.pending.ContractID
	}
	m := newWelcomeMail(t, x.run.MailSerial, x.invitation)
	return follower.send(x.workCtx, x.callerCtx, m, x.opts.MailFailure == MailFailureFail, func(stop context.Context, err *error) iter.Seq[int] {
		return x.triesUntil(stop, tenant.StepSendWelcomeEmail, err)
	})
}

// ensureInvitation stores a new invitation when this run did not draw the tenant's: only
// the hash of another run's token is stored.
func (x *execution) ensureInvitation() (err error) {
	if x.invitation.Token() != "" || x.run.Tenant.WithoutUsers {
		return nil
	}
	invitation := x.opts.newInvitation()
	for range x.tries(tenant.StepSendWelcomeEmail, &err) {
		err = x.steps.AddInvitation(x.workCtx, x.run, invitation)
	}
	if err == nil {
		x.invitation = invitation
	}
	return err
}

// activate makes the tenant live. It uses a context that does not end with the lease: the
// commit releases the lease, so the next heartbeat is refused and cancels workCtx, perhaps
// before the commit has returned. The registry fences this write by the epoch.
func (x *execution) activate() (err error) {
	ctx, cancel := x.cleanupContext()
	defer cancel()
	for range x.opts.Retry.Tries(ctx, x.opts.Clock, &err, nil) {
		_, err = x.commitPending(ctx)
	}
	return err
}

// stopsActivation returns an error when the tenant must not go live without the mail. It may
// when the server has the mail: the admin may have it, too.
func (x *execution) stopsActivation(sent error) error {
	switch kind := errs.KindOf(sent); {
	case sent == nil, errors.Is(sent, ErrMailUnderWay), errors.Is(sent, ErrMailUnconfirmed):
		return nil
	case kind == errs.KindFenced, kind == errs.KindCancelled, x.opts.MailFailure == MailFailureFail,
		kind == errs.KindTransient && x.callerCtx.Err() != nil: // Stopped before the last try: the next run sends it.
		return sent
	}
	return nil
}

func (x *execution) addPending(step tenant.Step, result map[string]any, took time.Duration) {
	x.pending.Checkpoint = step
	x.pending.Records = append(x.pending.Records, tenant.StepRecord{Step: step, Status: tenant.StepCompleted, Result: result, Duration: took})
}
