package provider

import (
	"context"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/apiclient"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
)

// tenants is what resources do with tenants: provisioning.Service in this process,
// or apiclient.Client through a running tenant-api. Both keep the same promises.
type tenants interface {
	Provision(ctx context.Context, in provisioning.Inputs) (provisioning.Outcome, error)
	Resume(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error)
	Get(ctx context.Context, id uuid.UUID) (provisioning.Tenant, error)
	FindByName(ctx context.Context, name string) (provisioning.Tenant, error)
	FindByExternalID(ctx context.Context, externalID string) (provisioning.Tenant, error)
	Update(ctx context.Context, id uuid.UUID, in provisioning.Inputs, version int64) (provisioning.Tenant, error)
	Archive(ctx context.Context, id uuid.UUID) (provisioning.Tenant, error)
	ResendWelcome(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error)
	Restore(ctx context.Context, id uuid.UUID) (provisioning.Tenant, error)
	Purge(ctx context.Context, id uuid.UUID, confirm string, retention time.Duration) (provisioning.PurgeCertificate, error)
	Every(ctx context.Context, q provisioning.ListQuery) iter.Seq2[provisioning.Tenant, error]
	Log(ctx context.Context, id uuid.UUID, all bool) ([]provisioning.LogEntry, error)
	Inspect(ctx context.Context, ids []uuid.UUID) ([]provisioning.Inspection, error)
	RenewContract(ctx context.Context, id uuid.UUID) error
	Repair(ctx context.Context, id uuid.UUID) (provisioning.Tenant, []string, error)
	OpenCredential(ctx context.Context, tenant uuid.UUID, ttl time.Duration) (provisioning.Credential, error)
	RenewCredential(ctx context.Context, tenant, id uuid.UUID, ttl time.Duration) (time.Time, error)
	CloseCredential(ctx context.Context, tenant, id uuid.UUID) error
}

var (
	_ tenants = (*provisioning.Service)(nil)
	_ tenants = (*apiclient.Client)(nil)
)

// backend gives resources their tenants. It connects to nothing before a resource
// asks, and then once for all of them.
type backend struct {
	settings settings
	version  string
	names    *plannedNames
	secrets  []string // Of the settings; reading them out of an address takes a while.

	mu       sync.Mutex
	service  tenants
	reads    *reads
	db       *postgres.DB      // Nil in API mode.
	deployer *soroban.Deployer // Nil in API mode.
	care     *contracts        // Nil in API mode, and before the first open.
}

func newBackend(s settings, version string, names *plannedNames) *backend {
	return &backend{settings: s, version: version, secrets: s.secrets(), names: names}
}

// errUnknown is returned while the provider's configuration is not known.
func (b *backend) errUnknown() error {
	return provisioning.Errorf(provisioning.KindInvalid, "configure provider",
		"the provider's configuration is not known yet (%s); apply what it depends on first, with -target", strings.Join(b.settings.unknown, ", "))
}

// known reports whether the provider's configuration is complete.
func (b *backend) known() bool { return len(b.settings.unknown) == 0 }

// open gives the tenants.
func (b *backend) open(ctx context.Context) (tenants, error) {
	if !b.known() {
		return nil, b.errUnknown()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.service != nil {
		return b.service, nil
	}
	var (
		service tenants
		err     error
	)
	if b.settings.api != nil {
		service, err = b.dial()
	} else {
		service, err = b.wire(ctx)
	}
	if err != nil {
		return nil, err
	}
	b.service, b.reads = service, newReads(service.Inspect)
	return service, nil
}

// dial prepares to work through a running tenant-api.
func (b *backend) dial() (tenants, error) {
	return apiclient.New(apiclient.Options{
		URL: b.settings.api.URL, Token: b.settings.api.Token.Reveal(),
		UserAgent: "terraform-provider-healthcare/" + b.version, Observer: observe,
	})
}

// wire prepares to do everything in this process.
func (b *backend) wire(ctx context.Context) (tenants, error) {
	s := b.settings
	// The pool outlives the call that happened to be the first.
	db, err := postgres.Open(context.WithoutCancel(ctx), postgres.Options{
		URL: s.database.URL.Reveal(), MaxConnections: s.database.MaxConnections,
		ManualMigrate: !s.autoMigrate, ApplicationName: "terraform-provider-healthcare/" + b.version,
	})
	if err != nil {
		return nil, err
	}
	service, care, err := s.service(db)
	if err != nil {
		db.Close()
		return nil, err
	}
	b.care, b.db, b.deployer = care, db, care.chain
	return service, nil
}

// contracts gives what looks after contracts, once there were tenants; nil in API mode.
func (b *backend) contracts() *contracts {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.care
}

func (s settings) service(db *postgres.DB) (*provisioning.Service, *contracts, error) {
	deployer, err := soroban.New(soroban.Options{
		Passphrase: s.soroban.Passphrase, RPCURL: s.soroban.RPCURL,
		DeployerSecret: s.soroban.DeployerSecret.Reveal(), MaxFee: s.soroban.MaxFee, MaxUploadFee: s.soroban.MaxUploadFee,
		Channels: s.soroban.Channels,
	})
	if err != nil {
		return nil, nil, err
	}
	mailer, err := mail.New(mail.Options{Mail: s.mail})
	if err != nil {
		return nil, nil, err
	}
	pipeline, err := provisioning.NewPipeline(db, deployer, mailer, provisioning.PipelineOptions{
		MailFailure: provisioning.MailFailurePolicy(s.mail.FailurePolicy), Observer: observe,
	})
	if err != nil {
		return nil, nil, err
	}
	// Anchors are for who runs all the time; an apply has other things to do.
	keeper, err := provisioning.NewKeeper(db, deployer, provisioning.KeeperOptions{AnchorEvery: -1})
	if err != nil {
		return nil, nil, err
	}
	service, err := provisioning.NewService(db, pipeline)
	return service, newContracts(deployer, keeper), err
}

// observe writes a run's story into Terraform's log.
func observe(ctx context.Context, e provisioning.Event) {
	tellStep(ctx, e)
	fields := map[string]any{
		"tenant_id": e.Tenant.ID.String(), "tenant_name": e.Tenant.Name,
		"step": string(e.Step), "status": string(e.Status), "attempt": e.Attempt,
	}
	if e.Duration > 0 {
		fields["duration_ms"] = e.Duration.Milliseconds()
	}
	if e.Message != "" {
		fields["message"] = e.Message
	}
	if e.Cause != nil {
		tflog.Debug(ctx, "cause of what follows", map[string]any{"tenant_id": e.Tenant.ID.String(), "error": e.Cause.Error()})
	}
	switch {
	case e.Status == provisioning.StepFailed, e.Status == provisioning.StepInProgress && e.Message != "":
		tflog.Warn(ctx, "provisioning step "+string(e.Step)+" "+string(e.Status), fields)
	default:
		tflog.Info(ctx, "provisioning step "+string(e.Step)+" "+string(e.Status), fields)
	}
}

// masked keeps the configuration's secrets out of everything that is logged with
// the context, and says to the audit log who acts.
func (b *backend) masked(ctx context.Context) context.Context {
	by := provisioning.CallerOf(ctx)
	by.Kind, by.ID = provisioning.CallerTerraform, b.settings.managedBy
	ctx = provisioning.WithCaller(ctx, by)
	return tflog.MaskLogStrings(ctx, b.secrets...)
}
