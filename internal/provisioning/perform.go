package provisioning

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// prepareSchema covers three steps, because one transaction for all of them
// costs a third of three (DESIGN, section 2).
func (x *execution) prepareSchema() error {
	user, err := uuid.NewV7()
	if err != nil {
		return Wrap(err, KindPermanent, "choose user id", "the system gives no random numbers")
	}
	invitation := NewInvitation(x.opts.Clock.Now())
	seed := Seed{AdminUser: user, Roles: DefaultRoles(), Invitation: invitation, Next: StepDeploySorobanContract}
	var took Durations
	err = x.retry(StepCreateSchema, func() (err error) {
		took, err = x.runs.PrepareSchema(x.work, x.run, seed)
		return err
	})
	if err != nil {
		return err
	}
	x.run.Checkpoint, x.run.AdminUser, x.invitation = StepSeedRolesAndUser, user, invitation
	for _, step := range []Step{StepCreateSchema, StepRunMigrations, StepSeedRolesAndUser} {
		x.tell(step, StepCompleted, took[step], nil)
	}
	return nil
}

// deployContract covers the deployment and, buffered, the storing of what came of it.
func (x *execution) deployContract(started time.Time) error {
	var contract Contract
	err := x.retry(StepDeploySorobanContract, func() (err error) {
		contract, err = x.deployer.Deploy(x.work, x.run.Tenant, x.runs.Journal(x.run))
		return err
	})
	if err != nil {
		return err
	}
	took := x.opts.since(started)
	x.buffer(StepDeploySorobanContract, contract.LogFields(), took)
	x.buffered.ContractID = contract.ID
	x.tell(StepDeploySorobanContract, StepCompleted, took, nil)
	if contract.TransactionHash == "" {
		// The contract was there before. Nothing would be lost if this process
		// died now, so its address waits for the next commit.
		took = x.opts.since(x.opts.Clock.Now())
		x.buffer(StepStoreContractAddress, nil, took)
		x.tell(StepStoreContractAddress, StepCompleted, took, nil)
		x.run.Checkpoint = StepStoreContractAddress
	}
	return nil
}

// storeContract commits the address of a contract that this run deployed.
func (x *execution) storeContract() error {
	if x.buffered.ContractID == "" {
		// The run before stopped after the deployment and stored its outcome.
		x.buffered.ContractID = x.run.Tenant.ContractID
	}
	if x.buffered.ContractID == "" {
		return Errorf(KindPermanent, "store contract address", "the address is not known; the registry was changed by hand")
	}
	x.buffer(StepStoreContractAddress, nil, 0) // It takes as long as the write does.
	x.buffered.Records = append(x.buffered.Records, StepRecord{Step: StepSendWelcomeEmail, Status: StepInProgress})
	var took Durations
	err := x.retry(StepStoreContractAddress, func() (err error) {
		took, err = x.flush(x.work)
		return err
	})
	if err != nil {
		return err
	}
	x.tell(StepStoreContractAddress, StepCompleted, took[StepStoreContractAddress], nil)
	return nil
}

// sendWelcome sends the mail and, with its outcome, makes the tenant live.
func (x *execution) sendWelcome(started time.Time) error {
	if x.invitation.Token() == "" {
		invitation := NewInvitation(x.opts.Clock.Now())
		if err := x.retry(StepSendWelcomeEmail, func() error { return x.runs.Invite(x.work, x.run, invitation) }); err != nil {
			return err
		}
		x.invitation = invitation
	}
	tenant := x.run.Tenant
	if x.buffered.ContractID != "" {
		tenant.ContractID = x.buffered.ContractID
	}
	sent := x.retry(StepSendWelcomeEmail, func() error {
		return x.mailer.SendWelcome(x.work, WelcomeMail{
			Tenant: tenant, Invitation: x.invitation.Token(), ExpiresAt: x.invitation.ExpiresAt, Serial: x.run.MailSerial,
		})
	})
	status, err := x.judgeMail(sent)
	if err != nil {
		return err
	}
	if x.options.Attended && x.stop.Err() != nil {
		return context.Canceled // The next run sends the mail again, with the same Message-ID.
	}
	took := x.opts.since(started)
	record := StepRecord{Step: StepSendWelcomeEmail, Status: StepCompleted, Duration: took}
	if sent != nil {
		record.Status, record.Error = StepFailed, SafeMessage(sent)
		x.warnings = append(x.warnings, SafeMessage(sent))
	}
	x.buffered.Records = append(x.buffered.Records, record)
	x.buffered.Checkpoint, x.buffered.WelcomeEmail, x.buffered.Activate = StepSendWelcomeEmail, status, true
	if err := x.lastCommit(); err != nil {
		return err
	}
	x.tell(StepSendWelcomeEmail, record.Status, took, sent)
	return nil
}

// lastCommit makes the tenant live. It does not depend on the lease: the commit
// gives that back, so the next renewal is refused and ends work, perhaps before
// the commit's answer is here. The registry fences this write by itself.
func (x *execution) lastCommit() error {
	ctx, cancel := x.afterwards()
	defer cancel()
	return x.retryWith(ctx, func() error {
		_, err := x.flush(ctx)
		return err
	})
}

// judgeMail decides whether a tenant goes live without its welcome mail.
func (x *execution) judgeMail(sent error) (WelcomeEmailStatus, error) {
	switch kind := KindOf(sent); {
	case sent == nil:
		return WelcomeEmailSent, nil
	case kind == KindFenced, kind == KindCancelled, x.opts.MailFailure == MailFailureFail,
		kind == KindTransient && x.stop.Err() != nil: // Stopped before the last try: the next run sends it.
		return "", sent
	case kind == KindTransient:
		return WelcomeEmailPending, nil
	default:
		return WelcomeEmailFailed, nil
	}
}

func (x *execution) buffer(step Step, result map[string]any, took time.Duration) {
	x.buffered.Checkpoint = step
	x.buffered.Records = append(x.buffered.Records, StepRecord{Step: step, Status: StepCompleted, Result: result, Duration: took})
}
