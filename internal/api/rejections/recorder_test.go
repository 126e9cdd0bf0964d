package rejections

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

func TestAuditRecorder_Record(t *testing.T) {
	t.Parallel()
	var (
		text    bytes.Buffer
		written []audit.Event
	)
	r := NewRecorder(func(_ context.Context, events ...audit.Event) error {
		written = append(written, events...)
		return nil
	}, slog.New(slog.NewTextHandler(&text, nil)))
	go r.Run()
	first := uuid.New()
	r.Record(audit.Event{TenantID: first})
	r.Close()
	r.Close()
	if len(written) != 1 || written[0].TenantID != first || text.Len() != 0 {
		t.Errorf("%+v, %s", written, text.String())
	}
	r.Record(audit.Event{Action: "request.late"})
	if len(written) != 1 || !strings.Contains(text.String(), "request.late") {
		t.Errorf("an event after the end left no trace: %s", text.String())
	}
}

func TestAuditRecorder_Commit(t *testing.T) {
	t.Parallel()
	var written []audit.Event
	r := NewRecorder(func(_ context.Context, events ...audit.Event) error {
		written = events
		return nil
	}, slog.New(slog.DiscardHandler))
	var group []entry
	for i := range 5 {
		group = append(group, entry{audit.Event{TenantID: uuid.UUID{byte(4 - i)}, Seq: int64(i)}, make(chan struct{})})
	}
	group = append(group, entry{audit.Event{Seq: 9}, make(chan struct{})})
	r.commit(group)
	order := ""
	for _, e := range written {
		order += fmt.Sprint(e.TenantID[0], e.Seq, " ")
	}
	if order != "0 4 0 9 1 3 2 2 3 1 4 0 " {
		t.Errorf("%q", order)
	}
}

// TestAuditRecorder_Lost: rejections that cannot be written are counted, and the next event that
// is written says how many they were.
func TestAuditRecorder_Lost(t *testing.T) {
	t.Parallel()
	rejection := audit.Event{Action: "request.x", Outcome: audit.OutcomeRejected}
	start := func(write func(context.Context, ...audit.Event) error) *Recorder {
		r := NewRecorder(write, slog.New(slog.DiscardHandler))
		go r.Run()
		return r
	}
	lostIn := func(events []audit.Event) (counts []any) {
		for _, e := range events {
			if e.Action == audit.ActionLoseRejections && e.TenantID == uuid.Nil {
				counts = append(counts, e.Detail["rejections"])
			}
		}
		return counts
	}
	t.Run("DatabaseDown", func(t *testing.T) {
		var (
			down    atomic.Bool
			written []audit.Event
		)
		r := start(func(_ context.Context, events ...audit.Event) error {
			if down.Load() {
				return errs.Errorf(errs.KindTransient, "write", "the database does not answer")
			}
			written = append(written, events...)
			return nil
		})
		r.Record(rejection)
		down.Store(true)
		for range 3 {
			r.Record(rejection)
		}
		if r.Lost() != 3 {
			t.Errorf("%d lost", r.Lost())
		}
		down.Store(false)
		r.Record(rejection)
		r.Record(rejection)
		down.Store(true)
		r.Record(rejection)
		down.Store(false)
		r.Close()
		if got := fmt.Sprint(lostIn(written)); got != "[3 1]" || len(written) != 3+2 || r.Lost() != 4 {
			t.Errorf("the log was told of %s in %d events, %d lost", got, len(written), r.Lost())
		}
		if written[1].Action != audit.ActionLoseRejections || written[1].Caller.Kind != audit.CallerProcess {
			t.Errorf("%+v", written[1])
		}
	})
	t.Run("TooFarBehind", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var written []audit.Event
			answer := make(chan struct{})
			r := start(func(_ context.Context, events ...audit.Event) error {
				<-answer
				written = append(written, events...)
				return nil
			})
			for range auditQueueSize + 1 { // One is being written, and the others fill the queue.
				go r.Record(rejection)
				synctest.Wait()
			}
			r.Record(rejection)
			if r.Lost() != 1 {
				t.Errorf("%d lost", r.Lost())
			}
			close(answer)
			r.Close()
			if got := fmt.Sprint(lostIn(written)); got != "[1]" || len(written) != auditQueueSize+2 {
				t.Errorf("the log was told of %s in %d events", got, len(written))
			}
		})
	})
}
