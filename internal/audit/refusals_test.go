package audit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// recorder keeps events, or fails.
type recorder struct {
	events []audit.Event
	err    error
}

func (r *recorder) Record(ctx context.Context, events ...audit.Event) error {
	if err := errors.Join(r.err, ctx.Err()); err != nil {
		return err
	}
	r.events = append(r.events, events...)
	return nil
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	id, caller := uuid.New(), audit.Caller{Kind: audit.CallerCommand, Name: "host/uid 1000"}
	ctx, cancel := context.WithCancel(audit.WithCaller(t.Context(), caller))
	cancel() // The caller has gone on.
	protected := errs.Errorf(errs.KindConflict, "archive tenant", "the tenant has deletion protection")

	t.Run("RecordsRefusal", func(t *testing.T) {
		t.Parallel()
		log := &recorder{}
		if err := audit.NewRefusals(log).Add(ctx, id, audit.ActionArchive, protected); !errors.Is(err, protected) {
			t.Error(err)
		}
		want := audit.Event{TenantID: id, Action: audit.ActionArchive, Outcome: audit.OutcomeRejected, Caller: caller, Detail: map[string]any{"error": "the tenant has deletion protection"}}
		if len(log.events) != 1 || fmt.Sprint(log.events[0]) != fmt.Sprint(want) {
			t.Errorf("%+v, want %+v", log.events, want)
		}
	})
	t.Run("RecordsRepeatedRefusalOnce", func(t *testing.T) {
		t.Parallel()
		log := &recorder{}
		r := audit.NewRefusals(log)
		for _, err := range []error{protected, protected, errs.Errorf(errs.KindConflict, "", "another reason")} {
			_ = r.Add(ctx, id, audit.ActionArchive, err)
		}
		_ = r.Add(ctx, uuid.New(), audit.ActionArchive, protected)
		if len(log.events) != 3 {
			t.Errorf("%+v", log.events)
		}
	})
	t.Run("OfNewTenantHasNoText", func(t *testing.T) {
		t.Parallel()
		log := &recorder{}
		_ = audit.NewRefusals(log).Add(ctx, uuid.Nil, audit.ActionCreate, &errs.Error{Kind: errs.KindConflict, Message: "Clinic exists", Fields: []errs.FieldError{{Field: "name", Message: "is taken: Clinic"}}})
		if got := fmt.Sprint(log.events[0].Detail); got != "map[fields:[name] kind:conflict]" {
			t.Error(got)
		}
	})
	t.Run("ShortensText", func(t *testing.T) {
		t.Parallel()
		log := &recorder{}
		_ = audit.NewRefusals(log).Add(ctx, id, audit.ActionPurge, &errs.Error{Kind: errs.KindConflict, Lists: true, Message: strings.Repeat("é", 2*errs.MaxErrorLength)})
		if text, _ := log.events[0].Detail["error"].(string); utf8.RuneCountInString(text) != errs.MaxErrorLength {
			t.Error(text)
		}
	})
	t.Run("LeavesFailuresAndThoseThatAreRecorded", func(t *testing.T) {
		t.Parallel()
		log := &recorder{}
		r := audit.NewRefusals(log)
		for _, err := range []error{
			nil, errors.New("bug"), context.Canceled, errs.Errorf(errs.KindTransient, "", "no answer"), errs.Errorf(errs.KindPermanent, "", "no schema"),
			&errs.Error{Kind: errs.KindConflict, Audited: true},
		} {
			if got := r.Add(ctx, id, audit.ActionPurge, err); got != err { //nolint:errorlint // The same error, not one that wraps it.
				t.Error(got)
			}
		}
		if len(log.events) != 0 {
			t.Errorf("%+v", log.events)
		}
	})
	t.Run("ReturnsErrorOfRecording", func(t *testing.T) {
		t.Parallel()
		broken := errors.New("no answer")
		log := &recorder{err: broken}
		r := audit.NewRefusals(log)
		if err := r.Add(ctx, id, audit.ActionArchive, protected); !errors.Is(err, broken) || errs.SafeMessage(err) != "the tenant has deletion protection" {
			t.Error(err)
		}
		log.err = nil
		if _ = r.Add(ctx, id, audit.ActionArchive, protected); len(log.events) != 1 {
			t.Error("the second try was not recorded")
		}
	})
	t.Run("NilRecordsNothing", func(t *testing.T) {
		t.Parallel()
		if err := (*audit.Refusals)(nil).Add(ctx, id, audit.ActionArchive, protected); !errors.Is(err, protected) {
			t.Error(err)
		}
	})
}
