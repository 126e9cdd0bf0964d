package provider

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/apiclient"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/waiting"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
)

// readyTimeout is how long the check at the start waits for database and network. After
// it, the run goes on without the check.
const readyTimeout = 3 * time.Second

// checkReady reports a configuration that does not work once, instead of once for each
// resource. A service that does not answer is not an error: the database, or the network,
// may be part of the same apply.
func (b *backend) checkReady(ctx context.Context, diags *diag.Diagnostics) {
	if !b.isConfigKnown() || b.settings.skipChecks {
		return
	}
	ctx, cancel := context.WithTimeout(b.withLogMask(ctx), readyTimeout)
	defer cancel()
	service, err := b.open(ctx)
	if err != nil {
		b.addConfigError(ctx, diags, path.Empty(), err)
		return
	}
	if client, ok := service.(*apiclient.Client); ok {
		b.checkServer(ctx, diags, client)
		return
	}
	var (
		wg         sync.WaitGroup
		db         error
		privileges error
		waits      waiting.Report
		ready      soroban.Ready
		network    error
	)
	wg.Go(func() {
		if db = b.local.DB.CheckReady(ctx); db == nil {
			privileges = b.local.DB.Platform.CheckPrivileges(ctx)
			waits = b.findWaiting(ctx)
		}
	})
	wg.Go(func() { ready, network = b.local.Deployer.CheckReady(ctx) })
	wg.Wait()
	b.addConfigError(ctx, diags, b.registryPath(), db)
	b.addConfigError(ctx, diags, path.Root("database").AtName("url"), privileges)
	if text := waits.String(); text != "" {
		diags.AddWarning("Work waits for a worker", "Waiting for more than 10 minutes: "+text+". No worker of tenant-api was seen for an hour.\n\n"+
			"Start one (tenant-api serve, or tenant-api worker). tenant-api tenants reconcile, run regularly, does all but queued tenants. "+
			"What needs a worker is in the guide \"Onboarding of administrators\".")
	}
	b.addConfigError(ctx, diags, path.Root("soroban").AtName("rpc_url"), ready.Network)
	b.addConfigError(ctx, diags, path.Root("soroban").AtName("deployer_secret"), ready.Account)
	if ready.InsufficientBalance != "" {
		diags.AddAttributeWarning(path.Root("soroban").AtName("deployer_secret"), "Deployer cannot pay", ready.InsufficientBalance+".")
	}
	if ready.NewerProtocol != "" {
		diags.AddAttributeWarning(path.Root("soroban"), "Newer Stellar protocol", ready.NewerProtocol+".")
	}
	if network != nil {
		tflog.Warn(ctx, "the Stellar network was not checked: "+errs.SafeMessage(network))
		b.local.NetworkUnavailable()
	}
}

// findWaiting returns what waits for a worker. A registry that is not there yet has nothing.
func (b *backend) findWaiting(ctx context.Context) waiting.Report {
	report, err := b.local.DB.WaitingForWorker(ctx, b.settings.mail.InvitationReminder)
	if err != nil {
		tflog.Warn(ctx, "not checked what waits for a worker: "+errs.SafeMessage(err))
	}
	return report
}

// registryPath returns the attribute to change when the registry has another version.
func (b *backend) registryPath() path.Path {
	if !b.settings.autoMigrate {
		return path.Root("database").AtName("auto_migrate")
	}
	return path.Root("database").AtName("url")
}

func (b *backend) checkServer(ctx context.Context, diags *diag.Diagnostics, client *apiclient.Client) {
	err := client.CheckReady(ctx)
	at := path.Root("api").AtName("url")
	if apiclient.IsDenied(err) {
		at = path.Root("api").AtName("token")
	}
	b.addConfigError(ctx, diags, at, err)
}

// addConfigError adds one diagnostic for an error that would occur for every resource.
func (b *backend) addConfigError(ctx context.Context, diags *diag.Diagnostics, at path.Path, err error) {
	if err == nil {
		return
	}
	tflog.Debug(ctx, "the check of the provider's configuration failed", map[string]any{"error": err.Error()})
	switch errs.KindOf(err) {
	case errs.KindPermanent, errs.KindInvalid:
		diags.AddAttributeError(at, "Provider configuration cannot work", fmt.Sprintf("With this configuration, or these variables: %s.\n\nNothing was changed. "+
			"Correct it and run Terraform again. To skip this check, set skip_checks = true.", errs.SafeMessage(err)))
	default:
		tflog.Warn(ctx, "not checked: "+errs.SafeMessage(err))
	}
}
