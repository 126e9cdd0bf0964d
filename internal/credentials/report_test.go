package credentials_test

import (
	"errors"
	"iter"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
)

func eventsOf(err error, list ...audit.Event) iter.Seq2[audit.Event, error] {
	return func(yield func(audit.Event, error) bool) {
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(audit.Event{}, err)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)
	minute := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
	closed, expired, late, open := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	nurse, step := audit.Caller{Kind: audit.CallerToken, ID: "nurse", Address: "192.0.2.7"}, audit.Caller{Kind: audit.CallerProcess}
	event := func(at int, action audit.Action, by audit.Caller, id uuid.UUID, until int, more ...string) audit.Event {
		detail := map[string]any{"credentialId": id.String(), "username": "login_" + id.String(), "expiresAt": minute(until).Format(time.RFC3339)}
		for i := 0; i < len(more); i += 2 {
			detail[more[i]] = more[i+1]
		}
		return audit.Event{At: minute(at), Action: action, Caller: by, Detail: detail}
	}
	got, err := credentials.Report(eventsOf(nil,
		audit.Event{At: minute(0), Action: audit.ActionOpenCredential, Caller: audit.Caller{Kind: audit.CallerRedacted}},
		audit.Event{At: minute(0), Action: audit.ActionCloseCredential, Caller: audit.Caller{Kind: audit.CallerRedacted}},
		event(1, audit.ActionOpenCredential, nurse, closed, 61, "reason", "Ticket 1"),
		event(2, audit.ActionOpenCredential, step, expired, 3, "step", "DIRECTORY"),
		audit.Event{At: minute(2), Action: audit.ActionUpdate, Detail: map[string]any{"credentialId": 7}},
		event(3, audit.ActionOpenCredential, nurse, late, 4),
		event(4, audit.ActionOpenCredential, nurse, open, 5),
		event(5, audit.ActionCloseCredential, nurse, closed, 61),
		event(5, audit.ActionRenewCredential, nurse, open, 65),
		event(6, audit.ActionCloseCredential, step, late, 4),
		event(6, audit.ActionCloseCredential, step, uuid.New(), 4), // Opened before the events that are read.
	), minute(30))
	access := func(id uuid.UUID, by audit.Caller, opened, until, ended int, reason, step string) credentials.Access {
		a := credentials.Access{CredentialID: id, Username: "login_" + id.String(), Caller: by, OpenedAt: minute(opened), ValidUntil: minute(until), Reason: reason, Step: step}
		if ended >= 0 {
			a.EndedAt = minute(ended)
		}
		return a
	}
	want := []credentials.Access{
		{Caller: audit.Caller{Kind: audit.CallerRedacted}, OpenedAt: minute(0)},
		access(closed, nurse, 1, 61, 5, "Ticket 1", ""), access(expired, step, 2, 3, 3, "", "DIRECTORY"),
		access(late, nurse, 3, 4, 4, "", ""), access(open, nurse, 4, 65, -1, "", ""),
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
	lost := errors.New("lost")
	if got, err := credentials.Report(eventsOf(lost, event(1, audit.ActionOpenCredential, nurse, closed, 61)), minute(30)); got != nil || !errors.Is(err, lost) {
		t.Errorf("%+v, %v", got, err)
	}
}
