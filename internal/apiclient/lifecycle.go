package apiclient

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Unarchive takes an archived tenant back into service.
func (c *Client) Unarchive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	var v tenantResponse
	err := c.call(ctx, request{op: "restore tenant", method: http.MethodPost, path: tenantPath(id, "restore")}, &v)
	return v.tenant(), err
}

// Purge deletes what an archived tenant has stored, for good. confirm is its name.
// How long it has to have been archived the server decides; the retention given
// here is not used.
func (c *Client) Purge(ctx context.Context, id uuid.UUID, confirm string, _ time.Duration) (provisioning.PurgeCertificate, error) {
	var certificate provisioning.PurgeCertificate
	err := c.call(ctx, request{
		op: "purge tenant", method: http.MethodPost, path: tenantPath(id, "purge"), body: map[string]string{"confirm": confirm},
	}, &certificate)
	return certificate, err
}

// Log gives the provisioning log of a tenant's newest attempt. The API shows no
// earlier ones.
func (c *Client) Log(ctx context.Context, id uuid.UUID, _ bool) ([]tenant.LogEntry, error) {
	var progress struct {
		Logs []struct {
			ID         uuid.UUID      `json:"id"`
			Step       string         `json:"step"`
			Status     string         `json:"status"`
			Result     map[string]any `json:"result"`
			Error      *string        `json:"error"`
			DurationMs *int64         `json:"durationMs"`
			Attempt    int            `json:"attempt"`
			CreatedAt  time.Time      `json:"createdAt"`
		} `json:"logs"`
	}
	if err := c.call(ctx, request{op: "read provisioning log", method: http.MethodGet, path: tenantPath(id, "provisioning-status")}, &progress); err != nil {
		return nil, err
	}
	entries := make([]tenant.LogEntry, len(progress.Logs))
	for i, l := range progress.Logs {
		entries[i] = tenant.LogEntry{
			ID: l.ID, TenantID: id, Attempt: l.Attempt, CreatedAt: l.CreatedAt,
			StepRecord: tenant.StepRecord{
				Step: tenant.Step(l.Step), Status: tenant.StepStatus(l.Status), Result: l.Result, Error: deref(l.Error),
				Duration: time.Duration(deref(l.DurationMs)) * time.Millisecond,
			},
		}
	}
	return entries, nil
}
