package apiclient

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Suspend takes a tenant out of service for a time. See provisioning.Service.Suspend.
func (c *Client) Suspend(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error) {
	var v dto.SuspendedTenant
	queued, err := c.move(ctx, request{op: "suspend tenant", method: http.MethodPost, path: tenantPath(id, "suspend")}, &v)
	if err == nil && queued {
		t, err := c.Get(ctx, id)
		return provisioning.Outcome{Tenant: t}, err
	}
	return provisioning.Outcome{Tenant: v.Tenant.Tenant(), Warnings: v.Warnings}, err
}

// Resume brings a suspended tenant back into service.
func (c *Client) Resume(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	return c.moveBack(ctx, id, "resume")
}

// SetHold puts a tenant under a legal hold. See provisioning.Service.SetHold.
func (c *Client) SetHold(ctx context.Context, id uuid.UUID, reason string) (tenant.Tenant, error) {
	var v dto.Tenant
	err := c.call(ctx, request{op: "set hold", method: http.MethodPut, path: tenantPath(id, "hold"), body: withReason{reason}}, &v)
	return v.Tenant(), err
}

// ClearHold ends the legal hold of a tenant. The key needs the scope tenants:hold.
func (c *Client) ClearHold(ctx context.Context, id uuid.UUID, reason string) (tenant.Tenant, error) {
	var v dto.Tenant
	err := c.call(ctx, request{op: "clear hold", method: http.MethodPost, path: tenantPath(id, "hold", "clear"), body: withReason{reason}}, &v)
	return v.Tenant(), err
}

// Unarchive makes an archived tenant what it was before, ACTIVE or SUSPENDED.
func (c *Client) Unarchive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	return c.moveBack(ctx, id, "unarchive")
}

// moveBack sends the request of a move that brings a tenant back.
func (c *Client) moveBack(ctx context.Context, id uuid.UUID, move string) (tenant.Tenant, error) {
	var v dto.Tenant
	queued, err := c.move(ctx, request{op: move + " tenant", method: http.MethodPost, path: tenantPath(id, move)}, &v)
	if err == nil && queued {
		return c.Get(ctx, id)
	}
	return v.Tenant(), err
}

// Purge deletes the data of an archived tenant permanently. confirm is its name.
// KindConflict before the retention has passed; the server can require a longer one, and permits
// provisioning.SkipRetention only where its operator does.
func (c *Client) Purge(ctx context.Context, id uuid.UUID, confirm string, retention time.Duration) (provisioning.PurgeCertificate, error) {
	var v dto.Certificate
	r := request{op: "purge tenant", method: http.MethodPost, path: tenantPath(id, "purge"), body: newPurge(confirm, retention)}
	queued, err := c.move(ctx, r, &v)
	if err == nil && queued { // For the certificate.
		err = c.call(ctx, r, &v)
	}
	return v.Certificate(), err
}

// CheckPurge returns the error that a purge would have, for a live tenant that of archiving and then
// purging it, as far as the server knows it before anything is changed. KindNotFound also from a server
// that is older than this operation.
func (c *Client) CheckPurge(ctx context.Context, id uuid.UUID, confirm string, retention time.Duration) error {
	return c.call(ctx, request{op: "purge tenant", method: http.MethodPost, path: tenantPath(id, "purge", "check"), body: newPurge(confirm, retention)}, nil)
}

// SkipUndo records that what own steps left over is not undone any more. See
// provisioning.Service.SkipUndo.
func (c *Client) SkipUndo(ctx context.Context, id uuid.UUID, steps []string, reason string) error {
	body := map[string]any{"steps": steps, "reason": reason}
	return c.call(ctx, request{op: "skip undo", method: http.MethodPost, path: tenantPath(id, "skip-undo"), body: body}, nil)
}

// Log returns the provisioning log of a tenant's newest attempt, or of all attempts, with
// durations in milliseconds. KindNotFound for an unknown id.
func (c *Client) Log(ctx context.Context, id uuid.UUID, all bool) ([]tenant.LogEntry, error) {
	var progress dto.Progress
	r := request{op: "read provisioning log", method: http.MethodGet, path: tenantPath(id, "provisioning-status")}
	if all {
		r.query = map[string]string{"attempts": "all"}
	}
	if err := c.call(ctx, r, &progress); err != nil {
		return nil, err
	}
	entries := make([]tenant.LogEntry, len(progress.Logs))
	for i, l := range progress.Logs {
		entries[i] = l.LogEntry(id)
	}
	return entries, nil
}
