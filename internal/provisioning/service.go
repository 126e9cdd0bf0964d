package provisioning

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Service creates tenants and moves them between statuses. The provider, the REST API and
// the command line call it.
type Service struct {
	creations   CreationStore
	tenants     TenantStore
	moves       MoveStore
	invitations InvitationStore
	blueprints  BlueprintStore
	adoptions   AdoptionStore
	suspensions SuspensionStore
	holds       HoldStore
	identity    IdentityStore
	pipeline    *Pipeline
	refusals    *audit.Refusals // Nil: the entrance records them.
	// cancelOnDisconnect is RunOptions.CancelOnDisconnect of the runs of this service.
	cancelOnDisconnect bool
}

// Store are the methods of the registry that a Service calls.
type Store interface {
	CreationStore
	TenantStore
	MoveStore
	InvitationStore
	BlueprintStore
	AdoptionStore
	SuspensionStore
	HoldStore
	IdentityStore
}

// NewService makes a service. KindInvalid when a part is nil.
func NewService(store Store, pipeline *Pipeline) (*Service, error) {
	if store == nil || pipeline == nil {
		return nil, errs.Errorf(errs.KindInvalid, "set up service", "Store or Pipeline is missing")
	}
	return &Service{creations: store, tenants: store, moves: store, invitations: store, blueprints: store, adoptions: store, suspensions: store, holds: store, identity: store, pipeline: pipeline}, nil
}

// WithCancelOnDisconnect returns the same service for callers that may disconnect, such as
// HTTP clients. See RunOptions.
func (s *Service) WithCancelOnDisconnect() *Service {
	c := *s
	c.cancelOnDisconnect = true
	return &c
}

func (s *Service) runOptions() RunOptions {
	return RunOptions{Mode: ClaimRetry, CancelOnDisconnect: s.cancelOnDisconnect, Foreground: true}
}

// Provision records a tenant and runs its steps in the foreground. It is safe to repeat:
// it continues a tenant of that name or external id that never went live and that no run
// holds. Besides the errors of Pipeline.Run: KindInvalid for broken rules; KindConflict,
// with Outcome.ConflictingTenant set, for a tenant that was live.
func (s *Service) Provision(ctx context.Context, in tenant.Inputs) (Outcome, error) {
	var creation Creation
	err := s.withLeaseRetry(ctx, func(ctx context.Context) error {
		draft, err := s.newDraft(ctx, in)
		if err == nil {
			creation, err = s.creations.Create(ctx, draft, s.pipeline.Lease())
		}
		return err
	})
	if err != nil {
		return Outcome{}, s.refusals.Add(ctx, uuid.Nil, audit.ActionCreate, err)
	}
	if creation.Run == nil {
		out, err := s.takeOverExisting(ctx, creation.Tenant, s.withDefaultBlueprint(in))
		return out, s.refusals.Add(ctx, uuid.Nil, audit.ActionCreate, err)
	}
	out, err := s.pipeline.Continue(ctx, *creation.Run, s.runOptions())
	out, err = s.goOn(ctx, creation.Run.Tenant.ID, out, err)
	out.Continued = creation.Continued
	return out, err
}

// Retry continues a PENDING or PROVISIONING tenant, or starts a new attempt of a FAILED
// one. It returns the errors of Pipeline.Run.
func (s *Service) Retry(ctx context.Context, id uuid.UUID) (Outcome, error) {
	run, err := s.claim(ctx, id, ClaimRetry)
	if err != nil {
		return Outcome{}, s.refusals.Add(ctx, id, audit.ActionRetry, err)
	}
	out, err := s.pipeline.Continue(ctx, run, s.runOptions())
	return s.goOn(ctx, id, out, err)
}

// claim claims a tenant, and waits for the lease of a dead holder.
func (s *Service) claim(ctx context.Context, id uuid.UUID, mode ClaimMode) (run Run, err error) {
	err = s.withLeaseRetry(ctx, func(ctx context.Context) (err error) {
		run, err = s.pipeline.leases.Claim(ctx, id, mode, s.pipeline.Lease())
		return err
	})
	return run, err
}

// maxLostLeases is how often a run in the foreground claims its tenant again.
const maxLostLeases = 5

// goOn continues a run in the foreground that lost its lease because the registry did not
// answer for as long as it lasts: it claims the tenant again, unless another run did. Nobody
// else would continue before the caller comes again. out and err are those of the run.
func (s *Service) goOn(ctx context.Context, id uuid.UUID, out Outcome, err error) (Outcome, error) {
	for lost := 0; lost < maxLostLeases && errors.Is(err, errLeaseLost) && ctx.Err() == nil; lost++ {
		again, claimErr := s.claim(ctx, id, ClaimResume)
		if claimErr != nil {
			return out, err
		}
		next, nextErr := s.pipeline.Continue(ctx, again, s.runOptions())
		if again.Rollback != RollbackNone { // Another run has ended the attempt meanwhile.
			return next, errors.Join(err, nextErr)
		}
		out, err = next, nextErr
	}
	return out, err
}

// leasePollInterval is the pause between two attempts to claim a leased tenant.
const leasePollInterval = 250 * time.Millisecond

// withLeaseRetry calls claim until the lease of a dead holder has expired. When the lease
// is renewed, the holder is alive and the conflict is returned: waiting would only hide
// that two callers use the same tenant. A claim that was committed but whose response was
// lost looks like a dead holder too, because transient errors are retried.
func (s *Service) withLeaseRetry(ctx context.Context, claim func(context.Context) error) error {
	var first *errs.LeaseInfo
	for {
		var err error
		for range s.pipeline.opts.Retry.Tries(ctx, s.pipeline.opts.Clock, &err, nil) {
			err = s.pipeline.detached(ctx, claim)
		}
		holder := errs.LeaseOf(err)
		if holder == nil {
			return err
		}
		if first == nil {
			first = holder
		}
		if holder.Epoch != first.Epoch || !holder.Until.Equal(first.Until) {
			return err
		}
		if err := s.pipeline.opts.Clock.Sleep(ctx, leasePollInterval); err != nil {
			return err
		}
	}
}

// takeOverExisting adopts a tenant that was live, or returns the conflict. An adopted
// tenant gets the password of the inputs, which may differ from its own.
func (s *Service) takeOverExisting(ctx context.Context, t tenant.Tenant, in tenant.Inputs) (Outcome, error) {
	in, err := in.Normalize()
	if err != nil {
		return Outcome{}, err
	}
	if t.Status == tenant.StatusArchived && t.PurgedAt.IsZero() && in.UnarchiveExisting && t.ExternalID != "" && t.ExternalID == in.ExternalID {
		return s.unarchiveExisting(ctx, t, in)
	}
	if t.Status.Live() && in.ManagedBy != "" && in.Equal(t.Inputs()) {
		if in.AdminPassword != "" || in.DeletionProtection != nil && *in.DeletionProtection != t.DeletionProtection {
			if t, err = s.moves.Update(ctx, t.ID, in, t.Version); err != nil {
				return Outcome{}, err
			}
		}
		return Outcome{Tenant: t, Adopted: true}, nil
	}
	return Outcome{ConflictingTenant: &t}, ErrTenantExists(t, in)
}

// unarchiveExisting brings an archived tenant back with its data and with new inputs.
func (s *Service) unarchiveExisting(ctx context.Context, t tenant.Tenant, in tenant.Inputs) (Outcome, error) {
	if err := s.checkUpdate(ctx, t.ID, in); err != nil {
		return Outcome{ConflictingTenant: &t}, err
	}
	back, err := s.creations.UnarchiveExisting(ctx, t.ID, in)
	if err != nil {
		return Outcome{ConflictingTenant: &t}, err
	}
	return Outcome{Tenant: back, Unarchived: true}, nil
}

// Get returns KindNotFound for an unknown id.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	return s.tenants.Get(ctx, id)
}

// FindByName finds the live tenant of that name, else the one archived last.
func (s *Service) FindByName(ctx context.Context, name string) (tenant.Tenant, error) {
	return s.tenants.FindByName(ctx, tenant.NormalizeName(name))
}

// FindByExternalID finds the tenant of that external id, in any status.
func (s *Service) FindByExternalID(ctx context.Context, externalID string) (tenant.Tenant, error) {
	return s.tenants.FindByExternalID(ctx, externalID)
}

// Update changes the inputs of a tenant; an empty blueprint is the tenant's. KindInvalid for
// broken rules; other errors as of MoveStore.Update.
func (s *Service) Update(ctx context.Context, id uuid.UUID, in tenant.Inputs, version int64) (tenant.Tenant, error) {
	t, err := s.update(ctx, id, in, version)
	return t, s.refusals.Add(ctx, id, audit.ActionUpdate, err)
}

func (s *Service) update(ctx context.Context, id uuid.UUID, in tenant.Inputs, version int64) (tenant.Tenant, error) {
	named := in.Blueprint
	in, err := in.Normalize()
	if err != nil {
		return tenant.Tenant{}, err
	}
	in.Blueprint = named
	if err := s.checkUpdate(ctx, id, in); err != nil {
		return tenant.Tenant{}, err
	}
	return s.moves.Update(ctx, id, in, version)
}

// maxArchiveAttempts bounds how often Archive retries after concurrent changes.
const maxArchiveAttempts = 3

// Archive takes a tenant out of service. A live one keeps its schema and its
// rows; one that never went live is rolled back first, even while a run holds it.
// Repeating it succeeds.
func (s *Service) Archive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	for try := 1; ; try++ {
		t, err := s.tenants.Get(ctx, id)
		if err != nil {
			return t, err
		}
		if t.WasLive() || t.Status == tenant.StatusArchived {
			t, err = s.moves.Archive(ctx, id)
		} else {
			var run Run
			err = s.pipeline.detached(ctx, func(ctx context.Context) (err error) {
				run, err = s.moves.Abort(ctx, id, s.pipeline.Lease())
				return err
			})
			if err == nil {
				t, err = s.pipeline.abort(ctx, run)
			}
		}
		// Another process changed the tenant after the read, or is aborting it too: read
		// again.
		if kind := errs.KindOf(err); kind != errs.KindConflict && kind != errs.KindFenced || try == maxArchiveAttempts || ctx.Err() != nil {
			return t, s.refusals.Add(ctx, id, audit.ActionArchive, err)
		}
	}
}

// Invite sends another invitation to the admin of an ACTIVE tenant. After a failed mail
// the new one has the same Message-ID. An error of the mail server is a warning in the
// outcome, and is recorded on the tenant; so is that the server has not answered within
// MailWait: the mail is then PENDING, and on its way. While the mail server has an earlier
// mail without having answered, no other one is sent.
func (s *Service) Invite(ctx context.Context, id uuid.UUID) (Outcome, error) {
	return s.invite(ctx, func(inv invitation.Invitation) (tenant.Tenant, MailRef, error) {
		t, ref, err := s.invitations.CreateInvitation(ctx, id, inv, MailHold)
		return t, ref, s.refusals.Add(ctx, id, audit.ActionInvite, err)
	})
}

// resend is Invite for a mail that is due. KindConflict when that is not to be sent any more.
func (s *Service) resend(ctx context.Context, due DueMail) (Outcome, error) {
	return s.invite(ctx, func(inv invitation.Invitation) (tenant.Tenant, MailRef, error) {
		return s.invitations.ResendInvitation(ctx, due, inv, MailHold)
	})
}

// invite sends the mail of an invitation that create records.
func (s *Service) invite(ctx context.Context, create func(invitation.Invitation) (tenant.Tenant, MailRef, error)) (Outcome, error) {
	p := s.pipeline
	invitation, started := p.opts.newInvitation(), p.opts.Clock.Now()
	t, ref, err := create(invitation)
	id := t.ID
	if errors.Is(err, ErrMailUnanswered) {
		t, err = s.tenants.Get(ctx, id)
		return Outcome{Tenant: t, Warnings: []string{errs.SafeMessage(ErrMailUnanswered)}, MailUnderWay: true}, err
	}
	if err != nil {
		return Outcome{}, err
	}
	mail := p.followMail(ctx, t, ref, started)
	defer func() { mail.release(false) }()
	sent := mail.send(ctx, ctx, newWelcomeMail(t, ref.Serial, invitation), false, func(stop context.Context, err *error) iter.Seq[int] {
		return p.opts.Retry.Tries(stop, p.opts.Clock, err, nil)
	})
	o, out := outcomeOf(sent, p.opts.since(started)), Outcome{MailUnderWay: errors.Is(sent, ErrMailUnderWay)}
	if sent != nil {
		out.Warnings = append(out.Warnings, errs.SafeMessage(sent))
	}
	o.Claim = ref.Claim
	p.opts.Observer(ctx, mail.event(o, sent))
	// Also after a stop: otherwise the mail would be sent again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.opts.StepGrace)
	defer cancel()
	for range p.opts.Retry.Tries(ctx, p.opts.Clock, &err, nil) {
		out.Tenant, err = s.invitations.RecordWelcome(ctx, id, o)
	}
	mail.release(err == nil)
	if errs.KindOf(err) == errs.KindConflict {
		return s.replaced(ctx, id, err)
	}
	return out, err
}

// replaced is the outcome of an invitation whose mail is another one by now.
func (s *Service) replaced(ctx context.Context, id uuid.UUID, conflict error) (Outcome, error) {
	t, err := s.tenants.Get(ctx, id)
	if err != nil || t.Status != tenant.StatusActive {
		return Outcome{}, conflict
	}
	out := Outcome{Tenant: t, MailUnderWay: t.WelcomeEmail == tenant.WelcomeEmailPending}
	if t.WelcomeEmail != tenant.WelcomeEmailSent {
		out.Warnings = []string{errs.SafeMessage(conflict)}
	}
	return out, nil
}

// Log returns the provisioning log of a tenant's newest attempt, or of all.
// KindNotFound for an unknown id.
func (s *Service) Log(ctx context.Context, id uuid.UUID, all bool) ([]tenant.LogEntry, error) {
	entries, err := s.tenants.Log(ctx, id, all)
	if err == nil && len(entries) == 0 { // Every tenant has at least one row.
		_, err = s.tenants.Get(ctx, id)
	}
	return entries, err
}

// All iterates over all tenants of a query. See tenant.All.
func (s *Service) All(ctx context.Context, q tenant.ListQuery) iter.Seq2[tenant.Tenant, error] {
	return tenant.All(ctx, s, q)
}
