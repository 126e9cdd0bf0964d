package console

import (
	"bytes"
	"context"
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

// retryLater lets the browser connect again after some seconds.
func (e *eventWriter) retryLater() error { return e.write("retry: 15000\nevent: later\ndata: \n\n") }

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
	s := timelineStream{page: p, out: newEventWriter(p.w)}
	ctx, stop := context.WithCancel(p.ctx())
	defer stop()
	signals, rejected := make(chan signal), error(nil)
	go func() {
		defer close(signals)
		rejected = p.followTimeline(ctx, signals)
	}()
	if s.forward(signals) {
		return nil
	}
	stop()
	for range signals { // Until the API's stream has ended, too.
	}
	if problemOf(rejected) != nil { // All places for streams are taken. The browser has the newest state, and comes back.
		if current, _ := s.send(); current && !s.live {
			return s.out.send("end", "")
		}
		_ = s.out.retryLater()
	}
	return nil
}

// signal is what the API's stream of a tenant says.
type signal int

const (
	signalChange signal = iota
	signalAlive         // Nothing has changed.
	signalEnd           // Nothing more will change.
)

// followTimeline follows the API's stream of the tenant until it ends.
func (p *page) followTimeline(ctx context.Context, signals chan<- signal) error {
	return p.api.follow(ctx, apiCall{method: http.MethodGet, path: p.tenantPath() + "/events"}, func(line string) bool {
		name, isEvent := strings.CutPrefix(line, "event: ")
		found := signalChange
		switch {
		case strings.HasPrefix(line, ":"):
			found = signalAlive
		case isEvent && name == "end":
			found = signalEnd
		case !isEvent:
			return true
		}
		select {
		case signals <- found:
			return found != signalEnd
		case <-ctx.Done():
			return false
		}
	})
}

// timelineStream sends the timeline to one browser.
type timelineStream struct {
	page *page
	out  *eventWriter
	sent string // What the browser has.
	live bool   // More can happen, as far as is known.
}

// changePause lets the events of one change become one message: each message reads the tenant again.
const changePause = 100 * time.Millisecond

// forward sends the timeline for what the API says, and reports whether the provisioning or the browser's connection has
// ended; else the API's stream has.
func (s *timelineStream) forward(signals <-chan signal) (ended bool) {
	for found := range signals {
		if found == signalAlive {
			if s.out.keepAlive() != nil {
				return true
			}
			continue
		}
		for pause := time.After(changePause); found == signalChange && pause != nil; {
			select {
			case next, open := <-signals:
				if !open {
					pause = nil
				} else if next == signalEnd {
					found = next
				}
			case <-pause:
				pause = nil
			}
		}
		current, alive := s.send()
		if found == signalEnd && current {
			_ = s.out.send("end", "")
		}
		if !alive || found == signalEnd {
			return true // Without its end, the browser connects again.
		}
	}
	return false
}

// send sends the timeline if it has changed. It reports whether the browser has it as it is now, and whether the stream can
// go on: the session may have ended, or the browser be gone.
func (s *timelineStream) send() (current, alive bool) {
	v, _, err := s.page.readTimeline()
	if err != nil {
		rejected := problemOf(err)
		return false, rejected != nil && (rejected.Status == http.StatusServiceUnavailable || rejected.Status == http.StatusTooManyRequests)
	}
	s.live = v.Live
	var b bytes.Buffer
	if err := s.page.console.views.fragment(&b, s.page.language, "tenant", "timeline", v); err != nil {
		return false, false
	}
	if b.String() == s.sent {
		return true, true
	}
	s.sent = b.String()
	sent := s.out.send("", s.sent) == nil
	return sent, sent
}
