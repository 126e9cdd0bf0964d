package dto

import (
	"encoding/hex"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
)

// AuditEvent is an event of an audit chain.
type AuditEvent struct {
	Seq     int64          `json:"seq" minimum:"1" doc:"From 1, without gaps."`
	At      time.Time      `json:"at"`
	Action  string         `json:"action" example:"tenant.archive"`
	Outcome string         `json:"outcome" enum:"DONE,REJECTED"`
	Caller  Caller         `json:"caller" doc:"Of kind redacted when a purge deleted caller and detail."`
	Detail  map[string]any `json:"detail" nullable:"false"`
	Hash    string         `json:"hash" pattern:"^[0-9a-f]{64}$" doc:"SHA-256 over the previous hash and this event, with salted hashes in place of caller and detail."`
}

// NewAuditEvent converts an event to JSON.
func NewAuditEvent(e audit.Event) AuditEvent {
	v := AuditEvent{
		Seq: e.Seq, At: e.At.UTC(), Action: string(e.Action), Outcome: string(e.Outcome),
		Caller: NewCaller(e.Caller), Detail: e.Detail, Hash: hex.EncodeToString(e.Hash),
	}
	if v.Detail == nil {
		v.Detail = map[string]any{}
	}
	return v
}

// AuditPage is a page of an audit chain.
type AuditPage struct {
	Events     []AuditEvent `json:"events" nullable:"false" doc:"Oldest first."`
	NextCursor string       `json:"nextCursor,omitempty" doc:"The cursor of the next page; absent on the last page."`
}

// AccessReport are the logins that were opened for a tenant. Only the command line prints it.
type AccessReport struct {
	TenantID uuid.UUID `json:"tenantId"`
	Logins   []Access  `json:"logins"` // In the order in which they were opened.
}

// Access is a login that was opened. Of a purged tenant only openedAt and the caller's kind are left.
type Access struct {
	ID         *uuid.UUID `json:"id"`
	Username   *string    `json:"username"`
	Caller     Caller     `json:"caller"`
	Reason     *string    `json:"reason"` // Null: none was given.
	Step       *string    `json:"step"`   // The blueprint's own step that it was for; null: a caller opened it.
	OpenedAt   time.Time  `json:"openedAt"`
	ValidUntil *time.Time `json:"validUntil"`
	EndedAt    *time.Time `json:"endedAt"` // Null: it is open.
}

// NewAccessReport converts a report to JSON.
func NewAccessReport(tenantID uuid.UUID, logins []credentials.Access) AccessReport {
	r := AccessReport{TenantID: tenantID, Logins: make([]Access, len(logins))}
	for i, l := range logins {
		r.Logins[i] = Access{
			ID: ID(l.CredentialID), Username: Text(l.Username), Caller: NewCaller(l.Caller), Reason: Text(l.Reason), Step: Text(l.Step),
			OpenedAt: l.OpenedAt.UTC(), ValidUntil: Time(l.ValidUntil), EndedAt: Time(l.EndedAt),
		}
	}
	return r
}
