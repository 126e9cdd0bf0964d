package rejections

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
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
