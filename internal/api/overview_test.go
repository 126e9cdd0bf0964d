package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// overview reads GET /admin/overview.
func (b *testServer) overview() dto.Overview {
	b.t.Helper()
	var v dto.Overview
	if err := json.Unmarshal([]byte(b.do(http.MethodGet, "/admin/overview", nil).want(http.StatusOK).text), &v); err != nil {
		b.t.Fatal(err)
	}
	return v
}

// kinds are the kinds of what needs attention, in their order.
func kinds(v dto.Overview) string {
	var all []string
	for _, a := range v.Attention {
		all = append(all, a.Kind)
	}
	return strings.Join(all, " ")
}

func TestOverview(t *testing.T) {
	checked := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	b := setupWith(t, serverOptions{Options: api.Options{
		Checks: []api.Check{{Name: "database", Run: func(context.Context) error { return nil }}},
		Background: func() []monitoring.Check {
			return []monitoring.Check{{Name: "rpc", Status: monitoring.CheckDegraded, CheckedAt: checked, Since: checked}}
		},
	}})
	made := b.createActive(clinic())
	v := b.overview()
	if v.Tenants == nil || *v.Tenants != (dto.TenantCounts{Active: 1}) || len(v.Unavailable) != 0 || kinds(v) != "WORKER_MISSING" || v.Attention[0].Message == nil || len(v.Throughput) != 24 || v.Throughput[23].Activated+v.Throughput[22].Activated != 1 {
		t.Errorf("%+v", v)
	}
	if v.Queue == nil || v.Queue.WorkerAlive || v.Queue.WorkerSeenSecondsAgo != nil || v.Queue.Waiting != 0 {
		t.Errorf("%+v", v.Queue)
	}
	if v.Ledger == nil || v.Ledger.Deployer != deployerAddress || *v.Ledger.Sequence != 4711 || v.Ledger.BalanceStroops != nil || v.Ledger.ChannelsConfigured != 2 || v.Ledger.ChannelsUsable != 0 {
		t.Errorf("%+v", v.Ledger)
	}
	if len(v.Checks) != 3 || v.Checks[1].Name != "database" || v.Checks[1].Status != "ok" || v.Checks[2].Name != "rpc" || v.Checks[2].Status != "degraded" || !v.Checks[2].Since.Equal(checked) {
		t.Errorf("%+v", v.Checks)
	}
	b.registry.EndJobs(tenant.StatusFailed, "no lumens")
	b.registry.MarkRestored()
	ctx := t.Context()
	for _, err := range []error{
		b.db.RecordDeployerBalance(ctx, "test network", deployerAddress, 7),
		b.db.SystemLog().StoreChannels(ctx, "test network", deployerAddress, []txlog.Channel{{Index: 0, Address: "G1", DisabledReason: "broken"}, {Index: 1, Address: "G2"}, {Index: 2, Address: "G3", DisabledReason: "surplus"}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	v = b.overview()
	if kinds(v) != "REGISTRY_RESTORED WORKER_MISSING FAILED CHANNEL_DISABLED LOW_BALANCE" || v.Ledger.ChannelsUsable != 1 || *v.Ledger.BalanceStroops != 7 {
		t.Fatalf("%s, %+v", kinds(v), v.Ledger)
	}
	failed := v.Attention[2]
	if failed.Count != 1 || len(failed.Tenants) != 1 || failed.Tenants[0].ID.String() != made["id"] || failed.Tenants[0].Name != "Clinic" || failed.Tenants[0].Status != "FAILED" || *failed.Tenants[0].Reason != "no lumens" || failed.Tenants[0].Since == nil {
		t.Errorf("%+v", failed)
	}
	if v.Attention[3].Count != 1 {
		t.Errorf("the surplus channel counts: %+v", v.Attention[3])
	}
}

func TestOverview_Caller(t *testing.T) {
	b := setup(t)
	b.key = b.createKey("reader", access.ScopeRead)
	b.do(http.MethodGet, "/admin/overview", nil).want(http.StatusOK)
	b.key = b.createKey("purger", access.ScopePurge)
	b.do(http.MethodGet, "/admin/overview", nil).want(http.StatusForbidden)
}

// brokenOverview has parts that fail, hang and panic.
type brokenOverview struct {
	api.Overviews
	hang chan struct{}
}

func (brokenOverview) Attention(context.Context) ([]monitoring.Attention, error) {
	return nil, errs.Errorf(errs.KindTransient, "read", "no answer")
}
func (o brokenOverview) Queue(context.Context) (monitoring.Queue, error) {
	<-o.hang // It ignores its context.
	return monitoring.Queue{}, nil
}
func (brokenOverview) Ledger(context.Context) (monitoring.Ledger, error) { panic("no ledger") }
func (brokenOverview) Throughput(context.Context) ([]monitoring.Hour, error) {
	return []monitoring.Hour{}, nil
}
func (brokenOverview) TenantCounts(context.Context) (map[tenant.Status]int64, error) {
	return map[tenant.Status]int64{tenant.StatusFailed: 7}, nil
}
func (brokenOverview) Drift(context.Context) ([]monitoring.Attention, error) { return nil, nil }

func (brokenOverview) Behind(context.Context) ([]monitoring.Attention, error) {
	group := func(blueprint string) monitoring.Attention {
		return monitoring.Attention{Kind: monitoring.AttentionBehind, Blueprint: blueprint, Count: 1, Tenants: []monitoring.AttentionTenant{{ID: uuid.New(), Status: tenant.StatusActive}}}
	}
	return []monitoring.Attention{group("ward"), group("clinic")}, nil
}

// TestOverview_Unavailable: a part that cannot be read is named, and holds up no other.
func TestOverview_Unavailable(t *testing.T) {
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	b := setupWith(t, serverOptions{Options: api.Options{Overview: brokenOverview{hang: hang}}, timeouts: api.Timeouts{Check: 300 * time.Millisecond}})
	started := time.Now()
	v := b.overview()
	if took := time.Since(started); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	if !slices.Equal(v.Unavailable, []string{"attention", "queue", "ledger"}) || v.Queue != nil || v.Ledger != nil || v.Tenants.Failed != 7 || kinds(v) != "TENANTS_BEHIND TENANTS_BEHIND" || *v.Attention[0].Blueprint != "clinic" {
		t.Errorf("%+v", v)
	}
	for _, text := range []string{`part=attention error="read: no answer"`, `part=ledger error="no ledger"`} {
		if !strings.Contains(b.log.String(), text) {
			t.Errorf("the log has no %q", text)
		}
	}
}
