package provider

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// TestBackend_CannotWork: newer CLIs show the line of the attribute that is named
// here, older ones the block's.
func TestBackend_CannotWork(t *testing.T) {
	t.Parallel()
	for kind, faults := range map[provisioning.Kind]int{
		provisioning.KindPermanent: 1, provisioning.KindInvalid: 1, provisioning.KindTransient: 0, provisioning.KindCancelled: 0,
	} {
		var diags diag.Diagnostics
		at := path.Root("soroban").AtName("rpc_url")
		newBackend(settings{}, "test", &plannedNames{}).cannotWork(t.Context(), &diags, at, provisioning.Errorf(kind, "look", "no"))
		if diags.ErrorsCount() != faults {
			t.Errorf("%s: %v", kind, diags)
		}
		for _, d := range diags {
			if located, ok := d.(diag.DiagnosticWithPath); !ok || !located.Path().Equal(at) {
				t.Errorf("%s: %v", kind, d)
			}
		}
	}
}
