package stats_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/stats"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// TestAttention makes one thing need attention each time, and then repairs it.
func TestAttention(t *testing.T) {
	t.Parallel()
	const contract = `INSERT INTO tenant_contracts (tenant_id, contract_id, state, live_until, checked_at) SELECT id, soroban_contract_id, `
	for name, c := range map[string]struct {
		change, repair string
		kind           monitoring.AttentionKind
		reason         string
		noTenant       bool
	}{
		"Restored": {`UPDATE registry SET restore_evidence = 'anchors are ahead'`, `UPDATE registry SET restore_evidence = NULL`, monitoring.AttentionRestored, "", true},
		"Failed": {
			`UPDATE tenants SET activated_at = NULL, status = 'FAILED', provisioning_error = 'no lumens'`, `UPDATE tenants SET status = 'PROVISIONING'`,
			monitoring.AttentionFailed, "no lumens", false,
		},
		"Stuck": {
			`UPDATE tenants SET activated_at = NULL, status = 'PROVISIONING', checkpoint = 'SEED_DATA', updated_at = now() - interval '11 minutes'`,
			`UPDATE tenants SET run_expires_at = now() + interval '1 minute', run_lease = '1 minute'`, monitoring.AttentionStuck, "the last step that was completed is SEED_DATA", false,
		},
		"ContractMissing": {contract + `'MISSING', 0, now() FROM tenants`, `UPDATE tenant_contracts SET state = 'LIVE'`, monitoring.AttentionContractError, "the contract is MISSING", false},
		"ContractFailed": {
			contract + `'LIVE', 0, now() FROM tenants`, ``, "", "", false,
		},
		"ContractWithError": {
			contract + `'EXPIRING', 0, now() FROM tenants; UPDATE tenant_contracts SET last_error = 'no answer'`, `UPDATE tenants SET status = 'ARCHIVED', archived_at = now(), purged_at = now(), suspended_at = NULL`,
			monitoring.AttentionContractError, "no answer", false,
		},
		"ContractExpiring": {contract + `'EXPIRING', 4711, now() FROM tenants`, `UPDATE tenant_contracts SET state = 'LIVE'`, monitoring.AttentionContractExpires, "it expires at ledger 4711", false},
		"RegistryContract": {
			`INSERT INTO tenant_contracts (tenant_id, contract_id, state) SELECT id, 'C', 'EXPIRED' FROM registry`, `DELETE FROM tenant_contracts`, monitoring.AttentionContractError, "", true,
		},
		"MailFailed": {
			`UPDATE tenants SET welcome_email = 'FAILED', invitation_accepted_at = NULL; UPDATE provisioning_logs SET error = '550 no such mailbox' WHERE step = 'SEND_WELCOME_EMAIL'`,
			`UPDATE tenants SET invitation_accepted_at = now()`, monitoring.AttentionMailFailed, "550 no such mailbox", false,
		},
		"MailOverdue": {
			`UPDATE tenants SET welcome_email = 'PENDING', welcome_email_due_at = now() - interval '2 minutes'`, `UPDATE tenants SET welcome_email_due_at = now()`,
			monitoring.AttentionMailPending, "no worker has sent it", false,
		},
		"MailFails": {
			`UPDATE tenants SET welcome_email = 'PENDING', welcome_email_due_at = now() + interval '1 hour', welcome_email_failures = 3`, `UPDATE tenants SET welcome_email_failures = 0`,
			monitoring.AttentionMailPending, "3 failed attempts", false,
		},
		"Invitation": {
			`UPDATE tenants SET invitation_expires_at = now() - interval '1 hour'`, `UPDATE tenants SET invitation_accepted_at = now()`, monitoring.AttentionInvitation, "", false,
		},
		"Logins": {
			`INSERT INTO tenant_credentials (id, tenant_id, username, expires_at) SELECT gen_random_uuid(), id, 'a_login', now() - interval '2 minutes' FROM tenants`,
			`UPDATE tenant_credentials SET ended_at = now()`, monitoring.AttentionLogins, "1 logins", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := postgrestest.Setup(t)
			made := b.ActiveTenant(postgrestest.Inputs("Clinic"))
			want := func(n int) []monitoring.Attention {
				t.Helper()
				found, err := b.Attention(t.Context())
				if err != nil || len(found) != n {
					t.Fatalf("%+v, %v; want %d", found, err, n)
				}
				return found
			}
			want(0)
			for statement := range strings.SplitSeq(c.change, "; ") {
				b.Exec(statement)
			}
			if c.kind == "" {
				want(0)
				return
			}
			a := want(1)[0]
			switch {
			case a.Kind != c.kind || a.Count != 1:
				t.Errorf("%+v", a)
			case c.noTenant && (a.Message == "" || len(a.Tenants) != 0):
				t.Errorf("%+v", a)
			case !c.noTenant && (a.Message != "" || len(a.Tenants) != 1 || a.Tenants[0].ID != made.ID || a.Tenants[0].Name != "Clinic" || !a.Tenants[0].Status.Known() ||
				a.Tenants[0].Since.IsZero() || a.Tenants[0].Reason != c.reason):
				t.Errorf("%+v", a)
			}
			b.Exec(c.repair)
			want(0)
		})
	}
}

func TestThroughput(t *testing.T) {
	b := postgrestest.Setup(t)
	b.ActiveTenant(postgrestest.Inputs("Clinic"))
	hours, err := b.Throughput(t.Context())
	b.Must(err)
	var activated, failed int64
	for i, h := range hours {
		activated, failed = activated+h.Activated, failed+h.Failed
		if h.From.Minute() != 0 || i > 0 && !h.From.Equal(hours[i-1].From.Add(time.Hour)) {
			t.Errorf("hour %d: %v", i, h.From)
		}
	}
	if len(hours) != 24 || activated != 1 || failed != 0 || time.Since(hours[23].From) > time.Hour+time.Minute {
		t.Errorf("%+v", hours)
	}
	b.Exec(`UPDATE audit_events SET action = 'tenant.fail', at = date_trunc('hour', now()) - interval '23 hours' WHERE action = 'tenant.activate'`)
	if hours, err = b.Throughput(t.Context()); err != nil || hours[0].Failed != 1 || hours[23].Activated != 0 {
		t.Errorf("%+v, %v", hours, err)
	}
	b.Exec(`UPDATE audit_events SET at = at - interval '1 microsecond' WHERE action = 'tenant.fail'`)
	if hours, err = b.Throughput(t.Context()); err != nil || slices.ContainsFunc(hours, func(h monitoring.Hour) bool { return h.Failed != 0 }) {
		t.Errorf("%+v, %v", hours, err)
	}
}

func TestBehind(t *testing.T) {
	b := postgrestest.Setup(t)
	made := b.ActiveTenant(postgrestest.Inputs("Clinic"))
	if found, err := b.Behind(t.Context(), made.SchemaVersion); err != nil || len(found) != 0 {
		t.Errorf("%+v, %v", found, err)
	}
	found, err := b.Behind(t.Context(), made.SchemaVersion+1)
	if err != nil || len(found) != 1 || found[0].Kind != monitoring.AttentionBehind || found[0].Blueprint != "standard" || found[0].Count != 1 || len(found[0].Tenants) != 1 || found[0].Tenants[0].ID != made.ID ||
		!strings.HasPrefix(found[0].Tenants[0].Reason, "schema version ") {
		t.Errorf("%+v, %v", found, err)
	}
	b.Exec(`UPDATE tenants SET status = 'ARCHIVED', archived_at = now(), purged_at = now()`)
	if found, err := b.Behind(t.Context(), made.SchemaVersion+1); err != nil || len(found) != 0 {
		t.Errorf("a purged tenant: %+v, %v", found, err)
	}
}

// TestOverview_ReadsNoTable: with many tenants, no part of the overview but Behind reads a large
// table as a whole.
func TestOverview_ReadsNoTable(t *testing.T) {
	b := postgrestest.Setup(t)
	b.ActiveTenant(postgrestest.Inputs("Clinic"))
	const more = 4_000
	addTenants(b, more)
	for _, statement := range append(stats.AttentionSQL(), stats.ThroughputSQL) {
		if plan := explain(b, statement); strings.Contains(plan, "Seq Scan on tenants") || strings.Contains(plan, "Seq Scan on audit_events") || strings.Contains(plan, "Seq Scan on tenant_contracts") {
			t.Errorf("a table is read as a whole:\n%s\n%s", statement, plan)
		}
	}
	started := time.Now()
	counts, err := b.TenantCounts(t.Context())
	if err != nil || counts[tenant.StatusActive] != more+1 {
		t.Errorf("%v, %v", counts, err)
	}
	found, err := b.Attention(t.Context())
	if err != nil || len(found) != 0 {
		t.Errorf("%+v, %v", found, err)
	}
	_, err = b.Throughput(t.Context())
	b.Must(err)
	t.Logf("%d tenants: read in %v", more, time.Since(started))
	started = time.Now()
	_, err = b.Behind(t.Context(), 1)
	b.Must(err)
	t.Logf("those that are behind in %v", time.Since(started))
}
