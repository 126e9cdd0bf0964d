package audit

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// Recorder appends rejections to audit chains. See Log.
type Recorder interface {
	Record(ctx context.Context, events ...Event) error
}

// refusalTimeout bounds the record of a refusal, also after the caller's context has ended.
const refusalTimeout = 5 * time.Second

// Refusals records moves that were refused, in the chain of their tenant, for entrances where
// nothing else does: the API and the workers record those of requests and jobs themselves. Nil
// records nothing.
//
// A refusal that was recorded before is not recorded again: the provider repeats a move while
// another tenant may give up a name.
type Refusals struct {
	log Recorder

	mu       sync.Mutex
	recorded map[refusal]bool
}

// refusal is what two refusals have in common that are the same.
type refusal struct {
	tenant uuid.UUID
	action Action
	text   string
}

// NewRefusals returns the refusals of one command or one run of Terraform.
func NewRefusals(log Recorder) *Refusals { return &Refusals{log: log, recorded: map[refusal]bool{}} }

// Add records err, if it refuses a move of a tenant because of its status, another tenant or the
// input. uuid.Nil is a tenant that does not exist yet: its refusal is in the registry chain, which
// keeps its events for good, so it has no text, which can have names.
// It returns err, with the error of recording it: a refusal that cannot be recorded is a failure of
// its own.
func (r *Refusals) Add(ctx context.Context, tenantID uuid.UUID, action Action, err error) error {
	if r == nil || !isRefusal(err) || errs.IsAudited(err) {
		return err
	}
	text := errs.Truncate(errs.SafeMessage(err), errs.MaxErrorLength)
	key := refusal{tenantID, action, text}
	if !r.mark(key, true) {
		return err
	}
	detail := map[string]any{"error": text}
	if tenantID == uuid.Nil {
		detail = map[string]any{"kind": errs.KindOf(err)}
		if fields := fieldNames(err); len(fields) > 0 {
			detail["fields"] = fields
		}
	}
	caller := CallerOf(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refusalTimeout)
	defer cancel()
	if failure := r.log.Record(ctx, Event{TenantID: tenantID, Action: action, Outcome: OutcomeRejected, Caller: caller, Detail: detail}); failure != nil {
		r.mark(key, false) // The next one is recorded.
		return errors.Join(err, failure)
	}
	return err
}

// mark notes that a refusal is recorded, or is not any more. It reports whether that is new. Nothing waits for the registry here.
func (r *Refusals) mark(key refusal, recorded bool) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed = r.recorded[key] != recorded
	r.recorded[key] = recorded
	return changed
}

// isRefusal reports whether an error is an answer of this program, and no failure: those that the
// API answers with a status below 500.
func isRefusal(err error) bool {
	switch errs.KindOf(err) {
	case errs.KindConflict, errs.KindFenced, errs.KindInvalid, errs.KindNotFound, errs.KindStale, errs.KindReused:
		return true
	case errs.KindTransient, errs.KindPermanent, errs.KindCancelled, errs.KindNoWorker:
	}
	return false
}

func fieldNames(err error) (names []string) {
	for _, f := range errs.FieldsOf(err) {
		names = append(names, f.Field)
	}
	return names
}
