package buildinfo_test

import (
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/buildinfo"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	if got := buildinfo.Version("1.2.3"); got != "1.2.3" {
		t.Errorf("%q", got)
	}
	if got := buildinfo.Version(""); got == "" || got == "(devel)" {
		t.Errorf("%q", got)
	}
}
