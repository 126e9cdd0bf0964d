package console

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// eventWriter writes server-sent events of one page.
type eventWriter struct {
	w          http.ResponseWriter
	controller *http.ResponseController
}

// newEventWriter begins the stream.
func newEventWriter(w http.ResponseWriter) *eventWriter {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // A proxy must forward events immediately.
	w.WriteHeader(http.StatusOK)
	return &eventWriter{w, http.NewResponseController(w)}
}

// send writes one event; an empty name is a message, whose data htmx puts into the page. An error means that the
// browser is gone.
func (e *eventWriter) send(name, data string) error {
	var b strings.Builder
	if name != "" {
		b.WriteString("event: " + name + "\n")
	}
	for line := range strings.SplitSeq(data, "\n") {
		b.WriteString("data: " + line + "\n")
	}
	b.WriteString("\n")
	return e.write(b.String())
}

// keepAlive writes a comment.
func (e *eventWriter) keepAlive() error { return e.write(": keep-alive\n\n") }

func (e *eventWriter) write(text string) error {
	extendWriteDeadline(e.w)
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	return e.controller.Flush()
}

// extendWriteDeadline gives the browser time to take what is written next.
func extendWriteDeadline(w http.ResponseWriter) {
	if limited, ok := w.(interface{ ExtendWriteDeadline() }); ok {
		limited.ExtendWriteDeadline()
	}
}

// timeline streams the timeline of a tenant: the whole of it with each change, so that a browser that connects again
// has missed nothing. It ends when the provisioning has.
func (p *page) timeline() error {
	if !p.isFragment() {
		return p.redirect(Root+"/tenants/"+url.PathEscape(p.r.PathValue("id")), nil)
	}
	if _, _, err := p.readTimeline(); err != nil {
		return err // While the status of the answer can still say so.
	}
	out := newEventWriter(p.w)
	sent := ""
	// The events of one change come together; the pause lets them become one message.
	send := func() bool {
		v, _, err := p.readTimeline()
		if err != nil {
			return problemOf(err) != nil && problemOf(err).Status == http.StatusServiceUnavailable // It may come back.
		}
		var b bytes.Buffer
		if err := p.console.views.fragment(&b, p.language, "tenant", "timeline", v); err != nil {
			return false
		}
		if b.String() == sent {
			return true
		}
		sent = b.String()
		return out.send("", sent) == nil
	}
	ended := false
	err := p.api.follow(p.ctx(), apiCall{method: http.MethodGet, path: p.tenantPath() + "/events"}, func(line string) bool {
		name, isEvent := strings.CutPrefix(line, "event: ")
		switch {
		case strings.HasPrefix(line, ":"):
			return out.keepAlive() == nil
		case isEvent && name == "end":
			ended = true
			return false
		case isEvent:
			return send()
		}
		return true
	})
	if ended {
		if send() {
			_ = out.send("end", "")
		}
		return nil
	}
	if rejected := problemOf(err); rejected != nil && rejected.Status == http.StatusTooManyRequests {
		p.pollTimeline(send, out) // All places for streams of the API are taken.
	}
	return nil
}

// pollTimeline sends the timeline every few seconds, for a while: the browser connects again afterwards.
func (p *page) pollTimeline(send func() bool, out *eventWriter) {
	ticker := time.NewTicker(p.console.opts.PollInterval)
	defer ticker.Stop()
	for range pollsOfTimeline {
		select {
		case <-ticker.C:
			if !send() || out.keepAlive() != nil {
				return
			}
		case <-p.ctx().Done():
			return
		}
	}
}

// pollsOfTimeline is how often a page without a place for a stream is brought up to date before it has to connect again.
const pollsOfTimeline = 6
