package app

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// maxDriftScan is how many tenants one scan compares, the newest first. "tenant-api tenants verify --all" compares all.
const maxDriftScan = 5000

// findDrift compares the schemas and roles of ACTIVE tenants with what was made. It reads no ledger.
func findDrift(ctx context.Context, db *postgres.DB) ([]monitoring.Attention, error) {
	group := monitoring.Attention{Kind: monitoring.AttentionDrifted}
	query := tenant.ListQuery{Status: tenant.StatusActive, Limit: inspection.MaxInspect}
	for scanned := 0; scanned < maxDriftScan; {
		page, err := db.List(ctx, query)
		if err != nil {
			return nil, err
		}
		if len(page.Tenants) == 0 {
			break
		}
		ids := make([]uuid.UUID, len(page.Tenants))
		for i, t := range page.Tenants {
			ids[i] = t.ID
		}
		found, err := db.Inspect(ctx, ids)
		if err != nil {
			return nil, err
		}
		for _, i := range found {
			addDrift(&group, i)
		}
		scanned += len(ids)
		if page.Next == nil {
			break
		}
		query.After = page.Next
	}
	if group.Count == 0 {
		return nil, nil
	}
	return []monitoring.Attention{group}, nil
}

// addDrift counts a tenant that differs, and names the first ones.
func addDrift(group *monitoring.Attention, i inspection.Inspection) {
	if i.Database == "" || i.Database == inspection.DatabaseInSync {
		return
	}
	group.Count++
	if len(group.Tenants) < monitoring.MaxAttentionTenants {
		group.Tenants = append(group.Tenants, monitoring.AttentionTenant{
			ID: i.Tenant.ID, Name: i.Tenant.Name, Status: i.Tenant.Status, Reason: strings.Join(i.DatabaseDrift, "; "),
		})
	}
}
