package credentials

import (
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
)

// Access is a login that was opened for a tenant, as the audit events have it: the event stays
// when the login has ended and its role is dropped.
type Access struct {
	CredentialID uuid.UUID // uuid.Nil: a purge deleted caller, login, reason and ends.
	Username     string
	Caller       audit.Caller // Who opened it, and from where.
	Reason       string       // Empty: none was given.
	Step         string       // The blueprint's own step that it was opened for; empty: a caller opened it.
	OpenedAt     time.Time
	ValidUntil   time.Time // With renewals.
	EndedAt      time.Time // Zero: it is open.
}

// Report lists the logins of a tenant's audit events, in the order in which they were opened. A
// login that was not closed ended when it expired, which now tells.
func Report(events iter.Seq2[audit.Event, error], now time.Time) ([]Access, error) {
	list, at := []Access{}, map[uuid.UUID]int{}
	for e, err := range events {
		if err != nil {
			return nil, err
		}
		id, _ := uuid.Parse(detailText(e, "credentialId")) // Not in a redacted event.
		i, known := at[id]
		switch {
		case e.Action == audit.ActionOpenCredential:
			at[id] = len(list)
			list = append(list, Access{
				CredentialID: id, Username: detailText(e, "username"), Caller: e.Caller, Reason: detailText(e, "reason"), Step: detailText(e, "step"),
				OpenedAt: e.At, ValidUntil: detailTime(e, "expiresAt"),
			})
		case id == uuid.Nil || !known:
		case e.Action == audit.ActionRenewCredential:
			list[i].ValidUntil = detailTime(e, "expiresAt")
		case e.Action == audit.ActionCloseCredential:
			list[i].EndedAt = e.At
		}
	}
	for i := range list {
		list[i].expire(now)
	}
	return list, nil
}

// expire sets the end of a login that expired: the event of its end follows only when its role is
// dropped.
func (a *Access) expire(now time.Time) {
	expired := !a.ValidUntil.IsZero() && !now.Before(a.ValidUntil)
	if expired && (a.EndedAt.IsZero() || a.EndedAt.After(a.ValidUntil)) {
		a.EndedAt = a.ValidUntil
	}
}

func detailText(e audit.Event, name string) string {
	text, _ := e.Detail[name].(string)
	return text
}

func detailTime(e audit.Event, name string) time.Time {
	at, _ := time.Parse(time.RFC3339, detailText(e, name))
	return at
}
