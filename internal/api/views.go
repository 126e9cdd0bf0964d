package api

import (
	"github.com/google/uuid"
)

// Responses that only the server builds; package dto has the others.

type tenantPage struct {
	Total      int64          `json:"total" minimum:"0" doc:"Tenants on all pages."`
	Tenants    []listedTenant `json:"tenants" nullable:"false" doc:"Newest first."`
	NextCursor string         `json:"nextCursor,omitempty" doc:"The cursor of the next page; absent on the last page."`
}

type submissionView struct {
	JobID    string    `json:"jobId" doc:"See GET /jobs/{jobId}." example:"4711"`
	Status   string    `json:"status" enum:"queued"`
	Message  string    `json:"message" example:"Tenant provisioning for St. Mary's Clinic has been queued"`
	TenantID uuid.UUID `json:"tenantId" format:"uuid"`
}

type archivedView struct {
	Status  string `json:"status" enum:"archived"`
	Message string `json:"message"`
}

type invitedView struct {
	Status             string   `json:"status" enum:"sent,pending,failed" doc:"pending: the mail server has not answered yet."`
	WelcomeEmailStatus string   `json:"welcomeEmailStatus" enum:"PENDING,SENT,FAILED,SKIPPED" doc:"PENDING: the mail is on its way, or is tried again."`
	Message            string   `json:"message"`
	Warnings           []string `json:"warnings" nullable:"false" doc:"Why the mail was not sent, or is not confirmed."`
}
