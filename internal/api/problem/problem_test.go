package problem_test

import (
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

func TestStatusAndKind(t *testing.T) {
	t.Parallel()
	for kind, want := range map[errs.Kind]struct {
		status int
		read   errs.Kind // The kind that a client reads from the status.
	}{
		errs.KindInvalid:   {400, errs.KindInvalid},
		errs.KindNotFound:  {404, errs.KindNotFound},
		errs.KindConflict:  {409, errs.KindConflict},
		errs.KindFenced:    {409, errs.KindConflict},
		errs.KindStale:     {412, errs.KindStale},
		errs.KindReused:    {422, errs.KindReused},
		errs.KindTransient: {503, errs.KindTransient},
		errs.KindCancelled: {503, errs.KindTransient},
		errs.KindPermanent: {500, errs.KindPermanent},
		"unknown":          {500, errs.KindPermanent},
	} {
		if got := problem.Status(kind); got != want.status {
			t.Errorf("Status(%q) = %d, want %d", kind, got, want.status)
		}
		if got := problem.Kind(want.status); got != want.read {
			t.Errorf("Kind(%d) = %q, want %q", want.status, got, want.read)
		}
	}
}

func TestKind_ProxyStatuses(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]errs.Kind{
		429: errs.KindTransient, 502: errs.KindTransient, 504: errs.KindTransient,
		401: errs.KindPermanent, 403: errs.KindPermanent, 405: errs.KindPermanent, 418: errs.KindPermanent,
	} {
		if got := problem.Kind(status); got != want {
			t.Errorf("Kind(%d) = %q, want %q", status, got, want)
		}
	}
}
