package rejections

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// The maximum number of events per commit, the queue length and the timeout.
const (
	maxAuditBatch  = 100
	auditQueueSize = 1024
	auditTimeout   = 2 * time.Second
)

// Recorder writes rejections to the audit log. Concurrent ones share a commit, because
// the head of the chain is one row and its writers are serialized.
type Recorder struct {
	write   func(context.Context, ...audit.Event) error
	logger  *slog.Logger
	lost    atomic.Int64 // Events that were not written, in all.
	told    int64        // Of these, how many the audit log has been told of. Only Run's goroutine uses it.
	queue   chan entry
	stopCtx context.Context
	cancel  context.CancelFunc
	done    chan struct{}
}

type entry struct {
	event   audit.Event
	written chan struct{}
}

// NewRecorder returns a Recorder, which writes while Run runs.
func NewRecorder(write func(context.Context, ...audit.Event) error, logger *slog.Logger) *Recorder {
	r := &Recorder{write: write, logger: logger, queue: make(chan entry, auditQueueSize), done: make(chan struct{})}
	r.stopCtx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Record returns when the event is committed or after auditTimeout. An event that cannot be
// committed is lost: it is written to the program's log, and counted. The next commit records
// in the registry chain how many were lost before it.
func (r *Recorder) Record(e audit.Event) {
	entry := entry{e, make(chan struct{})}
	timer := time.NewTimer(auditTimeout)
	defer timer.Stop()
	select {
	case r.queue <- entry:
	case <-timer.C:
		r.logDropped("the audit log is too far behind", nil, entry)
		return
	case <-r.done:
		r.logDropped("the server has stopped", nil, entry)
		return
	}
	select {
	case <-entry.written:
	case <-timer.C: // It is queued; commit logs it if the write fails.
	case <-r.done:
		select {
		case <-entry.written:
		default:
			r.logDropped("the server has stopped", nil, entry)
		}
	}
}

// Lost returns how many events were lost. One whose commit got no answer counts as lost.
func (r *Recorder) Lost() int64 { return r.lost.Load() }

// Queued returns the number of queued events.
func (r *Recorder) Queued() int { return len(r.queue) }

// Run writes events until Close is called.
func (r *Recorder) Run() {
	defer close(r.done)
	for {
		select {
		case first := <-r.queue:
			r.commit(r.collect(first))
		case <-r.stopCtx.Done():
			for len(r.queue) > 0 {
				r.commit(r.collect(<-r.queue))
			}
			if r.lost.Load() > r.told { // No later event would tell it.
				r.commit(nil)
			}
			return
		}
	}
}

// collect adds the events that are already queued.
func (r *Recorder) collect(first entry) []entry {
	batch := []entry{first}
	for len(batch) < maxAuditBatch {
		select {
		case next := <-r.queue:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

func (r *Recorder) commit(batch []entry) {
	// Sorted, so that all processes lock rows in the same order and cannot deadlock.
	slices.SortStableFunc(batch, func(a, b entry) int { return bytes.Compare(a.event.TenantID[:], b.event.TenantID[:]) })
	events := make([]audit.Event, 0, len(batch)+1)
	lost := r.lost.Load()
	if lost > r.told {
		events = append(events, lostEvent(lost-r.told))
	}
	for _, e := range batch {
		events = append(events, e.event)
	}
	ctx, cancel := context.WithTimeout(context.Background(), auditTimeout)
	defer cancel()
	err := r.write(ctx, events...)
	if errs.KindOf(err) == errs.KindTransient && ctx.Err() == nil {
		err = r.write(ctx, events...)
	}
	if err != nil {
		r.logDropped("the audit log could not be written", err, batch...)
	} else {
		r.told = lost
	}
	for _, e := range batch {
		close(e.written)
	}
}

// lostEvent tells the registry chain that rejections are missing, of whichever tenants.
func lostEvent(n int64) audit.Event {
	return audit.Event{
		Action: audit.ActionLoseRejections, Outcome: audit.OutcomeRejected,
		Caller: audit.CallerOf(context.Background()), Detail: map[string]any{"rejections": n},
	}
}

// logDropped logs and counts events that could not be written to the audit log.
func (r *Recorder) logDropped(reason string, err error, entries ...entry) {
	r.lost.Add(int64(len(entries)))
	for _, e := range entries {
		r.logger.Error("rejection not recorded in the audit log", slog.String("reason", reason), slog.Any("error", err), slog.String("action", string(e.event.Action)),
			slog.String("tenant_id", e.event.TenantID.String()), slog.Any("caller", e.event.Caller), slog.Any("detail", e.event.Detail))
	}
}

// Close writes the queued events and stops the recorder.
func (r *Recorder) Close() {
	r.cancel()
	<-r.done
}
