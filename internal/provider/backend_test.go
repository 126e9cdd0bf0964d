package provider

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-log/tflogtest"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// TestBackend_WithLogMask: if a library puts secrets of the configuration into an
// error, the log masks them, and a diagnostic contains nothing of the error.
func TestBackend_WithLogMask(t *testing.T) {
	t.Parallel()
	seed := "S" + strings.Repeat("A", 55)
	b := newBackend(settings{
		database: config.Database{URL: "postgres://u:pass%2Fword@db.internal/d"},
		soroban:  config.Soroban{DeployerSecret: config.Secret(seed)},
		mail:     config.Mail{Password: "mail-password"},
	}, "test", &nameRegistry{})
	cause := errors.New("cannot reach postgres://u:pass%2Fword@db.internal/d (pass/word, pass%2Fword) with " + seed + " and mail-password")
	err := errs.Wrap(cause, errs.KindTransient, "create schema", "the database does not answer")

	var log bytes.Buffer
	ctx := b.withLogMask(tflogtest.RootLogger(t.Context(), &log))
	logEvent(ctx, provisioning.Event{Step: tenant.StepCreateSchema, Status: tenant.StepFailed, Message: errs.SafeMessage(err), Cause: err})
	var diags diag.Diagnostics
	diagnostic{operation: "create", name: "Clinic"}.add(ctx, &diags, err)

	if n := strings.Count(log.String(), "cannot reach"); n != 2 {
		t.Errorf("the log has the cause %d times: %s", n, log.String())
	}
	shown := diags[0].Summary() + diags[0].Detail()
	for _, secret := range []string{"pass/word", "pass%2Fword", seed, "mail-password"} {
		if strings.Contains(log.String(), secret) || strings.Contains(shown, secret) {
			t.Errorf("%q is shown: %s %s", secret, log.String(), shown)
		}
	}
	if strings.Contains(shown, "db.internal") || !strings.Contains(shown, `Tenant "Clinic": the database does not answer.`) {
		t.Errorf("diagnostic %s", shown)
	}
}
