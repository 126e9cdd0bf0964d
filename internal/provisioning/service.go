package provisioning

import (
	"context"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Service creates tenants and moves them between statuses. Every entrance
// (Terraform, REST, command line) calls it.
type Service struct {
	creations   CreationStore
	tenants     TenantStore
	moves       MoveStore
	invitations InvitationStore
	pipeline    *Pipeline
	// cancelOnDisconnect is RunOptions.CancelOnDisconnect of the runs of this service.
	cancelOnDisconnect bool
}

// Store is all that a Service needs of the registry.
type Store interface {
	CreationStore
	TenantStore
	MoveStore
	InvitationStore
}

// NewService makes a service; both parts are needed.
func NewService(store Store, pipeline *Pipeline) (*Service, error) {
	if store == nil || pipeline == nil {
		return nil, errs.Errorf(errs.KindInvalid, "set up service", "Store or Pipeline is missing")
	}
	return &Service{creations: store, tenants: store, moves: store, invitations: store, pipeline: pipeline}, nil
}

// WithCancelOnDisconnect gives a service of the same parts for callers that may vanish, such as
// those on the other end of a connection. See RunOptions.
func (s *Service) WithCancelOnDisconnect() *Service {
	attended := *s
	attended.cancelOnDisconnect = true
	return &attended
}

func (s *Service) runOptions() RunOptions {
	return RunOptions{Mode: ClaimRetry, CancelOnDisconnect: s.cancelOnDisconnect}
}

// Provision records a tenant and takes it live, in the foreground. It is safe to
// repeat: a tenant of that name (or external id) that never went live and is
// nobody's running work is continued under its id. Besides what Pipeline.Run
// returns: KindInvalid for broken rules; KindConflict, with Outcome.Standing
// set, for a tenant that went live before.
func (s *Service) Provision(ctx context.Context, in tenant.Inputs) (Outcome, error) {
	var creation Creation
	err := s.withLeaseRetry(ctx, func(ctx context.Context) error {
		draft, err := tenant.NewDraft(in, s.pipeline.opts.Clock.Now())
		if err == nil {
			creation, err = s.creations.Create(ctx, draft, s.pipeline.Lease())
		}
		return err
	})
	if err != nil {
		return Outcome{}, err
	}
	if creation.Run == nil {
		return s.takeOverExisting(ctx, creation.Tenant, in)
	}
	out, err := s.pipeline.Continue(ctx, *creation.Run, s.runOptions())
	out.Continued = creation.Continued
	return out, err
}

// Retry continues a tenant that was left PENDING, PROVISIONING or FAILED. It
// returns what Pipeline.Run returns.
func (s *Service) Retry(ctx context.Context, id uuid.UUID) (Outcome, error) {
	var run Run
	err := s.withLeaseRetry(ctx, func(ctx context.Context) (err error) {
		run, err = s.pipeline.leases.Claim(ctx, id, ClaimRetry, s.pipeline.Lease())
		return err
	})
	if err != nil {
		return Outcome{}, err
	}
	return s.pipeline.Continue(ctx, run, s.runOptions())
}

// leasePollInterval is how often a busy tenant is looked at.
const leasePollInterval = 250 * time.Millisecond

// withLeaseRetry calls claim until the tenant's holder is gone. A holder that shows a
// sign of life (its lease moves on) is alive, and then waiting longer would only
// hide that two callers want the same tenant. One that is dead is gone after
// what is left of its lease. So is a claim of one's own whose answer was lost:
// transient faults are repeated, and meet it as a holder.
func (s *Service) withLeaseRetry(ctx context.Context, claim func(context.Context) error) error {
	var first *errs.LeaseInfo
	for {
		err := s.pipeline.opts.Retry.Do(ctx, s.pipeline.opts.Clock, func() error { return s.pipeline.detached(ctx, claim) }, nil)
		holder := errs.LeaseOf(err)
		if holder == nil {
			return err
		}
		if first == nil {
			first = holder
		}
		if holder.Epoch != first.Epoch || holder.Until.After(first.Until) {
			return err
		}
		if err := s.pipeline.opts.Clock.Sleep(ctx, leasePollInterval); err != nil {
			return err
		}
	}
}

// takeOverExisting decides about a tenant that went live before. One that is taken over
// gets the password that came with the inputs: its own may be another.
func (s *Service) takeOverExisting(ctx context.Context, t tenant.Tenant, in tenant.Inputs) (Outcome, error) {
	in, err := in.Normalize()
	if err != nil {
		return Outcome{}, err
	}
	if t.Status == tenant.StatusActive && in.ManagedBy != "" && in.Equal(t.Inputs()) {
		if in.AdminPassword != "" {
			if t, err = s.moves.Update(ctx, t.ID, in, t.Version); err != nil {
				return Outcome{}, err
			}
		}
		return Outcome{Tenant: t, Adopted: true}, nil
	}
	return Outcome{ConflictingTenant: &t}, ErrTenantExists(t, in.ExternalID)
}

// ErrTenantExists is the KindConflict of a tenant that stands where another one was
// wanted: under the wanted external id if it has that, else under its name.
func ErrTenantExists(t tenant.Tenant, wantedExternalID string) *errs.Error {
	field, words, value := "name", "name", t.Name
	if wantedExternalID != "" && wantedExternalID == t.ExternalID {
		field, words, value = "externalId", "external id", t.ExternalID
	}
	return &errs.Error{
		Kind: errs.KindConflict, Op: "create tenant",
		Message: "a tenant with this " + words + " exists already: " + t.Name + " (" + t.ID.String() + "), " + string(t.Status),
		Fields:  []errs.FieldError{{Field: field, Message: "is taken: " + value}},
	}
}

// Get returns KindNotFound for an unknown id.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	return s.tenants.Get(ctx, id)
}

// FindByName finds the live tenant of that name, else the one archived last.
func (s *Service) FindByName(ctx context.Context, name string) (tenant.Tenant, error) {
	return s.tenants.FindByName(ctx, tenant.NormalizeName(name))
}

// FindByExternalID finds the tenant of that key, whatever its status.
func (s *Service) FindByExternalID(ctx context.Context, externalID string) (tenant.Tenant, error) {
	return s.tenants.FindByExternalID(ctx, externalID)
}

// Update changes a tenant in place. KindInvalid, KindNotFound, KindConflict.
func (s *Service) Update(ctx context.Context, id uuid.UUID, in tenant.Inputs, version int64) (tenant.Tenant, error) {
	in, err := in.Normalize()
	if err != nil {
		return tenant.Tenant{}, err
	}
	return s.moves.Update(ctx, id, in, version)
}

// maxArchiveAttempts bounds how often Archive looks again.
const maxArchiveAttempts = 3

// Archive takes a tenant out of service. A live one keeps its schema and its
// rows; one that never went live is rolled back first, whoever is running it.
// Repeating it is success.
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
		// Somebody else changed the tenant between look and act, or is aborting it
		// too: look again.
		if kind := errs.KindOf(err); kind != errs.KindConflict && kind != errs.KindFenced || try == maxArchiveAttempts || ctx.Err() != nil {
			return t, err
		}
	}
}

// Invite sends an ACTIVE tenant's admin another invitation. The mail has
// the Message-ID of the one that failed. What the mail server refuses comes back
// as a warning of the outcome, and is noted on the tenant.
func (s *Service) Invite(ctx context.Context, id uuid.UUID) (Outcome, error) {
	p := s.pipeline
	invitation, started := invitation.NewInvitation(p.opts.Clock.Now()), p.opts.Clock.Now()
	t, serial, err := s.invitations.CreateInvitation(ctx, id, invitation)
	if err != nil {
		return Outcome{}, err
	}
	sent := p.opts.Retry.Do(ctx, p.opts.Clock, func() error {
		return p.mailer.SendWelcome(ctx, WelcomeMail{Tenant: t, Invitation: invitation.Token(), ExpiresAt: invitation.ExpiresAt, Serial: serial})
	}, nil)
	out := Outcome{}
	status, record := tenant.WelcomeEmailSent, tenant.StepRecord{Step: tenant.StepSendWelcomeEmail, Status: tenant.StepCompleted}
	if sent != nil {
		out.Warnings = append(out.Warnings, errs.SafeMessage(sent))
		status, record.Status, record.Error = tenant.WelcomeEmailFailed, tenant.StepFailed, errs.SafeMessage(sent)
		if kind := errs.KindOf(sent); kind == errs.KindTransient || kind == errs.KindCancelled {
			status = tenant.WelcomeEmailPending
		}
	}
	record.Duration = p.opts.since(started)
	p.opts.Observer(ctx, Event{
		Tenant: t, Attempt: t.Attempt, Step: record.Step, Status: record.Status,
		Duration: record.Duration, Message: record.Error, Cause: sent,
	})
	// Also after a stop, or else the mail would be sent once more next time.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.opts.StepGrace)
	defer cancel()
	err = p.opts.Retry.Do(ctx, p.opts.Clock, func() (err error) {
		out.Tenant, err = s.invitations.RecordWelcome(ctx, id, status, record)
		return err
	}, nil)
	return out, err
}

// Log gives the provisioning log of a tenant's newest attempt, or of all.
// KindNotFound for an unknown id.
func (s *Service) Log(ctx context.Context, id uuid.UUID, all bool) ([]tenant.LogEntry, error) {
	entries, err := s.tenants.Log(ctx, id, all)
	if err == nil && len(entries) == 0 { // Each tenant has a row from its first moment on.
		_, err = s.tenants.Get(ctx, id)
	}
	return entries, err
}

// All iterates over all tenants of a query. See tenant.All.
func (s *Service) All(ctx context.Context, q tenant.ListQuery) iter.Seq2[tenant.Tenant, error] {
	return tenant.All(ctx, s, q)
}
