package api

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// How many events share a commit, how many wait for it, and for how long.
const (
	maxAuditBatch  = 100
	auditQueueSize = 1024
	auditTimeout   = 2 * time.Second
)

// auditRecorder writes refusals into the audit log. Those that come at the same time
// share a commit: the chain is one row, and its writers take turns.
type auditRecorder struct {
	write   func(context.Context, ...audit.Event) error
	logger  *slog.Logger
	queue   chan auditEntry
	stopCtx context.Context
	cancel  context.CancelFunc
	done    chan struct{}
}

type auditEntry struct {
	event   audit.Event
	written chan struct{}
}

func newAuditRecorder(write func(context.Context, ...audit.Event) error, logger *slog.Logger) *auditRecorder {
	r := &auditRecorder{write: write, logger: logger, queue: make(chan auditEntry, auditQueueSize), done: make(chan struct{})}
	r.stopCtx, r.cancel = context.WithCancel(context.Background())
	return r
}

// record returns when the event is committed, or when that takes too long: a
// registry that does not answer shall not hide who was refused, so the log says it.
func (r *auditRecorder) record(e audit.Event) {
	entry := auditEntry{e, make(chan struct{})}
	timer := time.NewTimer(auditTimeout)
	defer timer.Stop()
	select {
	case r.queue <- entry:
	case <-timer.C:
		r.logDropped("the audit log is too far behind", nil, entry)
		return
	case <-r.done:
		r.logDropped("the server has ended", nil, entry)
		return
	}
	select {
	case <-entry.written:
	case <-timer.C: // It is on its way, and commit says so if it does not arrive.
	case <-r.done:
		select {
		case <-entry.written:
		default:
			r.logDropped("the server has ended", nil, entry)
		}
	}
}

func (r *auditRecorder) run() {
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

// collect takes what waits, too.
func (r *auditRecorder) collect(first auditEntry) []auditEntry {
	batch := []auditEntry{first}
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

func (r *auditRecorder) commit(batch []auditEntry) {
	// In an order that is the same in every process, so that two of them wait for
	// each other's rows and do not lock each other out.
	slices.SortStableFunc(batch, func(a, b auditEntry) int { return bytes.Compare(a.event.TenantID[:], b.event.TenantID[:]) })
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

// logDropped leaves in the log of the program what the audit log does not have.
func (r *auditRecorder) logDropped(reason string, err error, entries ...auditEntry) {
	for _, e := range entries {
		r.logger.Error("refusal is not in the audit log", slog.String("because", reason), slog.Any("error", err), slog.String("action", string(e.event.Action)),
			slog.String("tenant", e.event.TenantID.String()), slog.Any("caller", e.event.Caller), slog.Any("detail", e.event.Detail))
	}
}

// close writes what waits and ends the recorder.
func (r *auditRecorder) close() {
	r.cancel()
	<-r.done
}
