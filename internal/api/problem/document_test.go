package problem

import (
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

func TestStatusByKind(t *testing.T) {
	t.Parallel()
	if p := From(errs.Errorf("new", "x", "words")); p.Status != 500 {
		t.Errorf("an unknown kind: %+v", p)
	}
	for _, kind := range []errs.Kind{
		errs.KindTransient, errs.KindPermanent, errs.KindConflict, errs.KindCancelled, errs.KindFenced,
		errs.KindNotFound, errs.KindInvalid, errs.KindStale, errs.KindReused,
	} {
		p := From(errs.Errorf(kind, "x", "words for people"))
		if p.Status < 400 || p.Title == "" || p.Detail != "words for people" || (p.Status == 503) != (p.Header().Get("Retry-After") != "") {
			t.Errorf("%s: %+v", kind, p)
		}
	}
}
