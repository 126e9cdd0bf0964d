package provisioning_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// archived makes a live tenant with own steps and archives it.
func (w *world) archived(d *directory) uuid.UUID {
	w.t.Helper()
	service := w.stepProcess(d).service()
	out, err := service.Provision(w.t.Context(), withSteps())
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := service.Archive(w.t.Context(), out.Tenant.ID); err != nil {
		w.t.Fatal(err)
	}
	return out.Tenant.ID
}

// afterCheck does something when a purge has been checked, and has not begun.
type afterCheck struct {
	*stepProcess
	do func()
}

func (p afterCheck) CheckPurge(ctx context.Context, id uuid.UUID, retention time.Duration, archiveFirst bool) error {
	err := p.stepProcess.CheckPurge(ctx, id, retention, archiveFirst)
	p.do()
	return err
}

// TestPurge_UnarchivedMeanwhile: no undo is sent for a tenant that is live again.
func TestPurge_UnarchivedMeanwhile(t *testing.T) {
	t.Parallel()
	w, d := newWorld(t), newDirectory(t)
	d.publish(w)
	id := w.archived(d)
	other := w.stepProcess(d).service()
	p := afterCheck{w.stepProcess(d), func() {
		if _, err := other.Unarchive(t.Context(), id); err != nil {
			t.Error(err)
		}
	}}
	pipeline, _ := p.build()
	service, err := provisioning.NewService(p, pipeline)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := service.Purge(t.Context(), id, "Clinic", 0); err == nil {
		t.Error("a live tenant was purged")
	}
	if got := w.only(); got.Status != tenant.StatusActive || d.entryCount() != 2 {
		t.Errorf("%s, %s", got.Status, d.log())
	}
}

// TestUnarchive_PurgeBegan: a tenant of which a step is undone does not become live again.
func TestUnarchive_PurgeBegan(t *testing.T) {
	t.Parallel()
	w, d := newWorld(t), newDirectory(t)
	d.publish(w)
	id := w.archived(d)
	d.setAnswer(func(e stepEvent) (int, string, string) {
		if e.Data.Step == "BEFORE" {
			return 422, "", ""
		}
		return 204, "", ""
	})
	service := w.stepProcess(d).service()
	if _, err := service.Purge(t.Context(), id, "Clinic", 0); errs.KindOf(err) != errs.KindPermanent {
		t.Fatal(err)
	}
	_, err := service.Unarchive(t.Context(), id)
	if errs.KindOf(err) != errs.KindConflict || !strings.Contains(errs.SafeMessage(err), "AFTER") {
		t.Error(err)
	}
	if got := w.only(); got.Status != tenant.StatusArchived {
		t.Error(got.Status)
	}
}

// TestPurge_LongAfterTheFirst: a purge that is repeated after the deadline of the undo sends it.
func TestPurge_LongAfterTheFirst(t *testing.T) {
	t.Parallel()
	w, d := newWorld(t), newDirectory(t)
	d.publish(w)
	id := w.archived(d)
	d.setAnswer(func(stepEvent) (int, string, string) { return 503, "Retry-After: 60", "" })
	service := w.stepProcess(d).service()
	first, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := service.Purge(first, id, "Clinic", 0); err == nil {
		t.Fatal("purged")
	}
	w.registry.AgeOwnSteps(2 * time.Hour)
	d.setAnswer(nil)
	if _, err := service.Purge(t.Context(), id, "Clinic", 0); err != nil || d.entryCount() != 0 {
		t.Errorf("%s: %v", d.log(), err)
	}
}

// TestPurge_SkippedMeanwhile: a step that a person skipped while its undo was under way stays skipped.
func TestPurge_SkippedMeanwhile(t *testing.T) {
	t.Parallel()
	w, d := newWorld(t), newDirectory(t)
	d.publish(w)
	id := w.archived(d)
	other := w.stepProcess(d).service()
	d.setAnswer(func(e stepEvent) (int, string, string) {
		if e.Data.Step == "BEFORE" {
			return 204, "", ""
		}
		if err := other.SkipUndo(t.Context(), id, []string{"AFTER"}, "done by hand"); err != nil {
			t.Error(err)
		}
		return 422, "", ""
	})
	if _, err := other.Purge(t.Context(), id, "Clinic", 0); err == nil {
		t.Error("purged although an undo failed")
	}
	if _, err := other.Purge(t.Context(), id, "Clinic", 0); err != nil || d.log() != "BEFORE AFTER !AFTER !BEFORE" {
		t.Errorf("%s: %v", d.log(), err)
	}
}
