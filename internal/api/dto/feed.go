package dto

import (
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
)

// FeedEvent is an event in the feed of all events.
type FeedEvent struct {
	Position int64      `json:"position" minimum:"1" doc:"From 1, without gaps."`
	TenantID *uuid.UUID `json:"tenantId" format:"uuid" nullable:"true" doc:"Null: an event without a tenant, such as that of an API key."`
	Seq      int64      `json:"seq" minimum:"1" doc:"The number of the event in the tenant's audit log."`
	Type     string     `json:"type" example:"tenant.archive"`
	Outcome  string     `json:"outcome" enum:"DONE,REJECTED"`
	At       time.Time  `json:"at"`
}

// NewFeedEvent converts an event to JSON.
func NewFeedEvent(e audit.FeedEvent) FeedEvent {
	return FeedEvent{Position: e.Position, TenantID: ID(e.TenantID), Seq: e.Seq, Type: string(e.Action), Outcome: string(e.Outcome), At: e.At.UTC()}
}
