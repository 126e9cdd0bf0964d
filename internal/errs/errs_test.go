package errs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func TestKindOf(t *testing.T) {
	t.Parallel()
	for want, err := range map[errs.Kind]error{
		"":                 nil,
		errs.KindConflict:  fmt.Errorf("around: %w", errs.Errorf(errs.KindConflict, "", "x")),
		errs.KindCancelled: fmt.Errorf("around: %w", context.Canceled),
		errs.KindTransient: context.DeadlineExceeded,
		errs.KindPermanent: errors.New("unclassified"),
	} {
		if got := errs.KindOf(err); got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
	}
}

func TestSafeMessage(t *testing.T) {
	t.Parallel()
	cause := errors.New(`dial postgres://u:s3cret@db: refused; SELECT * FROM secrets`)
	for _, err := range []error{
		cause,
		errs.Wrap(cause, errs.KindTransient, "create schema", "the database does not answer"),
		fmt.Errorf("create schema: %w", cause),
	} {
		if m := errs.SafeMessage(err); strings.Contains(m, "s3cret") || strings.Contains(m, "SELECT") || m == "" {
			t.Errorf("message %q", m)
		}
	}
	if m := errs.SafeMessage(errs.Errorf(errs.KindPermanent, "", "the server said \"a\x00b\r\n\xff\"")); m != "the server said \"a b  \uFFFD\"" {
		t.Errorf("message %q", m)
	}
	long := errs.SafeMessage(errs.Errorf(errs.KindPermanent, "", "%s", strings.Repeat("é", 600)))
	if utf8.RuneCountInString(long) != errs.MaxErrorLength || !utf8.ValidString(long) {
		t.Errorf("%d characters", utf8.RuneCountInString(long))
	}
}

func TestInvitation_HidesToken(t *testing.T) {
	t.Parallel()
	inv := invitation.NewInvitation(clock.System{}.Now().Add(invitation.DefaultTTL))
	if out := fmt.Sprintf("%v %+v %#v %s", inv, inv, inv, inv); strings.Contains(out, inv.Token()) || inv.Token() == "" {
		t.Errorf("printed %s", out)
	}
	if invitation.HashInvitation(inv.Token()) != inv.Hash {
		t.Error("the hash is not the token's")
	}
}

func TestStatus_CanBecome(t *testing.T) {
	t.Parallel()
	allowed := map[string]bool{
		"PENDING PROVISIONING": true, "PROVISIONING ACTIVE": true, "PROVISIONING FAILED": true, "FAILED PROVISIONING": true,
		"ACTIVE ARCHIVED": true, "ACTIVE SUSPENDED": true, "SUSPENDED ACTIVE": true, "SUSPENDED ARCHIVED": true, "ARCHIVED ACTIVE": true, "ARCHIVED SUSPENDED": true, "PENDING ARCHIVED": true, "PROVISIONING ARCHIVED": true, "FAILED ARCHIVED": true,
	}
	for _, from := range tenant.Statuses() {
		for _, to := range tenant.Statuses() {
			if got := from.CanBecome(to); got != allowed[string(from)+" "+string(to)] {
				t.Errorf("%s to %s: %v", from, to, got)
			}
		}
	}
}
