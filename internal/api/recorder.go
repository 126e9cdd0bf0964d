package api

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// How many events share a commit, how many wait for it, and for how long.
const (
	recorderGroup    = 100
	recorderQueue    = 1024
	recorderPatience = 2 * time.Second
)

// recorder writes refusals into the audit log. Those that come at the same time
// share a commit: the chain is one row, and its writers take turns.
type recorder struct {
	write func(context.Context, ...provisioning.AuditEvent) error
	log   *slog.Logger
	queue chan entry
	stop  context.Context
	end   context.CancelFunc
	ended chan struct{}
}

type entry struct {
	event   provisioning.AuditEvent
	written chan struct{}
}

func newRecorder(write func(context.Context, ...provisioning.AuditEvent) error, log *slog.Logger) *recorder {
	r := &recorder{write: write, log: log, queue: make(chan entry, recorderQueue), ended: make(chan struct{})}
	r.stop, r.end = context.WithCancel(context.Background())
	return r
}

// record returns when the event is committed, or when that takes too long: a
// registry that does not answer shall not hide who was refused, so the log says it.
func (r *recorder) record(e provisioning.AuditEvent) {
	mine := entry{e, make(chan struct{})}
	late := time.NewTimer(recorderPatience)
	defer late.Stop()
	select {
	case r.queue <- mine:
	case <-late.C:
		r.lost("the audit log is too far behind", nil, mine)
		return
	case <-r.ended:
		r.lost("the server has ended", nil, mine)
		return
	}
	select {
	case <-mine.written:
	case <-late.C: // It is on its way, and commit says so if it does not arrive.
	case <-r.ended:
		select {
		case <-mine.written:
		default:
			r.lost("the server has ended", nil, mine)
		}
	}
}

func (r *recorder) run() {
	defer close(r.ended)
	for {
		select {
		case first := <-r.queue:
			r.commit(r.gather(first))
		case <-r.stop.Done():
			for len(r.queue) > 0 {
				r.commit(r.gather(<-r.queue))
			}
			return
		}
	}
}

// gather takes what waits, too.
func (r *recorder) gather(first entry) []entry {
	group := []entry{first}
	for len(group) < recorderGroup {
		select {
		case next := <-r.queue:
			group = append(group, next)
		default:
			return group
		}
	}
	return group
}

func (r *recorder) commit(group []entry) {
	// In an order that is the same in every process, so that two of them wait for
	// each other's rows and do not lock each other out.
	slices.SortStableFunc(group, func(a, b entry) int { return bytes.Compare(a.event.TenantID[:], b.event.TenantID[:]) })
	events := make([]provisioning.AuditEvent, len(group))
	for i, e := range group {
		events[i] = e.event
	}
	ctx, cancel := context.WithTimeout(context.Background(), recorderPatience)
	defer cancel()
	err := r.write(ctx, events...)
	if provisioning.KindOf(err) == provisioning.KindTransient && ctx.Err() == nil {
		err = r.write(ctx, events...)
	}
	if err != nil {
		r.lost("the audit log could not be written", err, group...)
	}
	for _, e := range group {
		close(e.written)
	}
}

// lost leaves in the log of the program what the audit log does not have.
func (r *recorder) lost(why string, err error, group ...entry) {
	for _, e := range group {
		r.log.Error("refusal is not in the audit log", slog.String("because", why), slog.Any("error", err), slog.String("action", string(e.event.Action)),
			slog.String("tenant", e.event.TenantID.String()), slog.Any("caller", e.event.Caller), slog.Any("detail", e.event.Detail))
	}
}

// close writes what waits and ends the recorder.
func (r *recorder) close() {
	r.end()
	<-r.ended
}
