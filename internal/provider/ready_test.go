package provider

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// TestBackend_AddConfigError: newer CLIs show the source line of the attribute that
// is named here, older ones that of the block.
func TestBackend_AddConfigError(t *testing.T) {
	t.Parallel()
	for kind, wantErrors := range map[errs.Kind]int{
		errs.KindPermanent: 1, errs.KindInvalid: 1, errs.KindTransient: 0, errs.KindCancelled: 0,
	} {
		var diags diag.Diagnostics
		at := path.Root("soroban").AtName("rpc_url")
		newBackend(settings{}, "test", &nameRegistry{}).addConfigError(t.Context(), &diags, at, errs.Errorf(kind, "look", "no"))
		if diags.ErrorsCount() != wantErrors {
			t.Errorf("%s: %v", kind, diags)
		}
		for _, d := range diags {
			if located, ok := d.(diag.DiagnosticWithPath); !ok || !located.Path().Equal(at) {
				t.Errorf("%s: %v", kind, d)
			}
		}
	}
}
