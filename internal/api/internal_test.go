package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

func TestRateLimiter_Take(t *testing.T) {
	t.Parallel()
	t.Run("EvictsInactiveBuckets", func(t *testing.T) {
		t.Parallel()
		l := newRateLimiter(1, clock.System{})
		if !l.take("regular").allowed {
			t.Fatal("the first is refused")
		}
		for i := range 3 * maxBuckets {
			l.take(fmt.Sprint(i))
			if i%1000 == 0 && l.take("regular").allowed {
				t.Fatal("somebody who keeps coming is forgotten")
			}
		}
		if n := len(l.current) + len(l.previous); n > maxBuckets {
			t.Errorf("%d buckets", n)
		}
	})
	t.Run("CountsByName", func(t *testing.T) {
		t.Parallel()
		l := newRateLimiter(2, clock.System{})
		for _, c := range []struct {
			name      string
			ok        bool
			remaining int
		}{{"a", true, 1}, {"a", true, 0}, {"a", false, 0}, {"b", true, 1}} {
			if v := l.take(c.name); v.allowed != c.ok || v.remaining != c.remaining || v.limit != 2 || !v.allowed && (v.retryAfter <= 29*time.Second || v.retryAfter > 30*time.Second) {
				t.Errorf("%+v, want %+v", v, c)
			}
		}
	})
}

func TestAddressPrefix(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2::": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "::ffff:192.0.2.1": "::ffff:192.0.2.1", "odd": "odd", "": "",
	} {
		if got := addressPrefix(address); got != want {
			t.Errorf("%q is in %q, want %q", address, got, want)
		}
	}
}

func TestProblemFromHuma(t *testing.T) {
	t.Parallel()
	conflict := errs.Errorf(errs.KindConflict, "x", "taken")
	for _, c := range []struct {
		status int
		errs   []error
		want   int
		detail string
	}{
		{500, []error{conflict}, 409, "taken"},
		{500, []error{fmt.Errorf("SELECT: %w", conflict)}, 409, "taken"},
		{500, []error{fmt.Errorf("SELECT")}, 500, "an internal error; the log has the cause"},
		{422, []error{&huma.ErrorDetail{Message: "expected x", Value: "secret"}}, 400, "words"},
		{406, nil, 406, "words"},
	} {
		p := problemFromHuma(c.status, "words", c.errs)
		if p.Status != c.want || p.Detail != c.detail || p.Errors == nil {
			t.Errorf("%+v, want %+v", p, c)
		}
	}
}

func TestStatusByKind(t *testing.T) {
	t.Parallel()
	if p := problemFrom(errs.Errorf("new", "x", "words")); p.Status != 500 {
		t.Errorf("a kind that nobody knows: %+v", p)
	}
	for _, kind := range []errs.Kind{
		errs.KindTransient, errs.KindPermanent, errs.KindConflict, errs.KindCancelled, errs.KindFenced,
		errs.KindNotFound, errs.KindInvalid, errs.KindStale, errs.KindReused,
	} {
		p := problemFrom(errs.Errorf(kind, "x", "words for people"))
		if p.Status < 400 || p.Title == "" || p.Detail != "words for people" || (p.Status == 503) != (p.header.Get("Retry-After") != "") {
			t.Errorf("%s: %+v", kind, p)
		}
	}
}

func TestHasLoneSurrogate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`\ud83d\ude00`: false, `\ud83d`: true, `\ude00`: true, `\ud83d\u0041`: true, `\ud83dx`: true, `\\ud83d`: false, `\\\ud83d`: true, `\uD83D\uDE00\uD83D`: true, `\u0041`: false, `\`: false, `\u`: false,
		`\ud83d\\ude00`: true, `a\ud83d\ude00b\ud83d\ude00`: false, ``: false, `\n\ud83d\ude00`: false,
	} {
		if got := hasLoneSurrogate([]byte(text)); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

func TestQuoteName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"a": "a", "a\nb\x00": "a\uFFFDb\uFFFD", "\xff": "\uFFFD", strings.Repeat("ä", 65): strings.Repeat("ä", 64) + "…", strings.Repeat("ä", 64): strings.Repeat("ä", 64)} {
		if got := quoteName(name); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAuditRecorder_Record(t *testing.T) {
	t.Parallel()
	var (
		text    bytes.Buffer
		written []audit.Event
	)
	r := newAuditRecorder(func(_ context.Context, events ...audit.Event) error {
		written = append(written, events...)
		return nil
	}, slog.New(slog.NewTextHandler(&text, nil)))
	go r.run()
	first := uuid.New()
	r.record(audit.Event{TenantID: first})
	r.close()
	r.close()
	if len(written) != 1 || written[0].TenantID != first || text.Len() != 0 {
		t.Errorf("%+v, %s", written, text.String())
	}
	r.record(audit.Event{Action: "request.late"})
	if len(written) != 1 || !strings.Contains(text.String(), "request.late") {
		t.Errorf("an event after the end left no trace: %s", text.String())
	}
}

func TestAuditRecorder_Commit(t *testing.T) {
	t.Parallel()
	var written []audit.Event
	r := newAuditRecorder(func(_ context.Context, events ...audit.Event) error {
		written = events
		return nil
	}, slog.New(slog.DiscardHandler))
	var group []auditEntry
	for i := range 5 {
		group = append(group, auditEntry{audit.Event{TenantID: uuid.UUID{byte(4 - i)}, Seq: int64(i)}, make(chan struct{})})
	}
	group = append(group, auditEntry{audit.Event{Seq: 9}, make(chan struct{})})
	r.commit(group)
	order := ""
	for _, e := range written {
		order += fmt.Sprint(e.TenantID[0], e.Seq, " ")
	}
	if order != "0 4 0 9 1 3 2 2 3 1 4 0 " {
		t.Errorf("%q", order)
	}
}

func TestAsymmetricAlgorithms(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprint(asymmetricAlgorithms([]string{"none", "HS256", "RS256", "HS512", "EdDSA", "odd"})); got != "[RS256 EdDSA]" {
		t.Error(got)
	}
}

// failingWriter is a connection on which nothing can be written.
type failingWriter struct{ http.ResponseWriter }

func (failingWriter) Header() http.Header       { return http.Header{} }
func (failingWriter) WriteHeader(int)           {}
func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestProvisionStream_Run(t *testing.T) {
	t.Parallel()
	t.Run("StopsRunWhenClientIsGone", func(t *testing.T) {
		t.Parallel()
		ended := make(chan provisionResult, 1)
		stop := sync.OnceFunc(func() { ended <- provisionResult{} })
		w := provisionStream{server: &Server{timeouts: timeouts{provisionKeepAlive: time.Millisecond}}, call: &requestContext{}, out: &sseWriter{response: newResponseWriter(failingWriter{}, time.Second)}, stop: stop}
		w.run(make(eventBuffer), ended) // Returns once the run was stopped.
	})
}
