package rejections

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
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
// committed is written to the program's log instead.
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
	events := make([]audit.Event, len(batch))
	for i, e := range batch {
		events[i] = e.event
	}
	ctx, cancel := context.WithTimeout(context.Background(), auditTimeout)
	defer cancel()
	err := r.write(ctx, events...)
	if errs.KindOf(err) == errs.KindTransient && ctx.Err() == nil {
		err = r.write(ctx, events...)
	}
	if err != nil {
		r.logDropped("the audit log could not be written", err, batch...)
	}
	for _, e := range batch {
		close(e.written)
	}
}

// logDropped logs events that could not be written to the audit log.
func (r *Recorder) logDropped(reason string, err error, entries ...entry) {
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
