package provider

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/apiclient"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// backend opens the tenant service that all resources share. It connects when the first
// resource needs the service, and then once for all of them.
type backend struct {
	settings  settings
	version   string
	names     *nameRegistry
	handovers handovers
	secrets   []string // Of the settings; computed once, because parsing a URL for secrets is slow.

	mu           sync.Mutex
	service      tenantService
	tenantReader *tenantReader
	local        *app.App // Nil in API mode, and before the first open.

	registryMu sync.Mutex
	registry   provisioning.RegistryIdentity // Zero: not read yet.
}

func newBackend(s settings, version string, names *nameRegistry) *backend {
	return &backend{settings: s, version: version, secrets: s.secrets(), names: names}
}

// unknownConfigError is returned while the provider's configuration is not known.
func (b *backend) unknownConfigError() error {
	return errs.Errorf(errs.KindInvalid, "configure provider",
		"the provider's configuration is not known yet (%s); apply what it depends on first, with -target", strings.Join(b.settings.unknownAttributes, ", "))
}

// isConfigKnown reports whether the provider's configuration is complete.
func (b *backend) isConfigKnown() bool { return len(b.settings.unknownAttributes) == 0 }

// open returns the tenant service and connects on the first call.
func (b *backend) open(ctx context.Context) (tenantService, error) {
	if !b.isConfigKnown() {
		return nil, b.unknownConfigError()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.service != nil {
		return b.service, nil
	}
	var (
		service tenantService
		err     error
	)
	if b.settings.api != nil {
		service, err = b.newAPIClient()
	} else {
		service, err = b.newLocalService(ctx)
	}
	if err != nil {
		return nil, err
	}
	b.service, b.tenantReader = service, newTenantReader(service.Inspect)
	return service, nil
}

// blueprints returns the blueprints of the registry and connects on the first call.
func (b *backend) blueprints(ctx context.Context) (blueprintService, error) {
	service, err := b.open(ctx)
	if err != nil {
		return nil, err
	}
	if client, ok := service.(*apiclient.Client); ok {
		return client.Blueprints(), nil
	}
	return b.local.DB.Blueprints, nil
}

// newAPIClient returns a client of a running tenant-api.
func (b *backend) newAPIClient() (tenantService, error) {
	return apiclient.New(apiclient.Options{
		URL: b.settings.api.URL, Token: b.settings.api.Token.Reveal(),
		UserAgent: "terraform-provider-healthcare/" + b.version, Observer: logEvent,
	})
}

// newLocalService returns a service that does all work in this process.
func (b *backend) newLocalService(ctx context.Context) (tenantService, error) {
	s := b.settings
	s.soroban.AnchorInterval = 0                                    // Only workers write anchors: they run all the time.
	local, err := app.Open(context.WithoutCancel(ctx), app.Options{ // The pool must outlive the call that opens it.
		Name: "terraform-provider-healthcare/" + b.version, Database: s.database, ManualMigrate: !s.autoMigrate, KeepMissing: true,
		Soroban: s.soroban, Mail: s.mail, Webhook: s.webhook, Observers: []provisioning.Observer{logEvent},
	})
	if err != nil {
		return nil, err
	}
	b.local = local
	return local.Services, nil
}

// mailStopTimeout is how long a process that ends waits for the mail server: Terraform kills it
// after two seconds.
const mailStopTimeout = 500 * time.Millisecond

// backends are those of a process.
type backends struct {
	mu  sync.Mutex
	all []*backend
}

func (l *backends) add(b *backend) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, b)
}

// stop ends conversations with the mail server, so that their outcomes are in the registry
// when the process ends.
func (l *backends) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), mailStopTimeout)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	var wg sync.WaitGroup
	for _, b := range l.all {
		wg.Go(func() {
			b.mu.Lock()
			local := b.local
			b.mu.Unlock()
			if local != nil {
				local.Mailer.Close(ctx)
			}
		})
	}
	wg.Wait()
}

// logEvent writes the events of a run to Terraform's log.
func logEvent(ctx context.Context, e provisioning.Event) {
	reportStep(ctx, e)
	fields := map[string]any{
		"tenant_id": e.Tenant.ID.String(), "tenant_name": e.Tenant.Name,
		"step": string(e.Step), "status": string(e.Status), "attempt": e.Attempt,
	}
	if e.Duration > 0 {
		fields["took_ms"] = float64(e.Duration.Microseconds()) / 1000
	}
	if e.Message != "" {
		fields["message"] = e.Message
	}
	if e.Cause != nil {
		tflog.Debug(ctx, "cause of the next message", map[string]any{"tenant_id": e.Tenant.ID.String(), "error": e.Cause.Error()})
	}
	switch {
	case e.Status == tenant.StepFailed, e.Status == tenant.StepInProgress && e.Message != "":
		tflog.Warn(ctx, "provisioning step "+string(e.Step)+" "+string(e.Status), fields)
	default:
		tflog.Info(ctx, "provisioning step "+string(e.Step)+" "+string(e.Status), fields)
	}
}

// withLogMask returns a context that masks the configuration's secrets in logs and
// carries the caller for the audit log.
func (b *backend) withLogMask(ctx context.Context) context.Context {
	caller := audit.CallerOf(ctx)
	caller.Kind, caller.ID = audit.CallerTerraform, b.settings.managedBy
	ctx = audit.WithCaller(ctx, caller)
	return tflog.MaskLogStrings(ctx, b.secrets...)
}
