package postgres_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// rewriteChainSQL recomputes the chain of a tenant with the database's own functions, as
// an attacker who owns the database can: the database itself shows no trace.
const rewriteChainSQL = `DO $$
DECLARE
	e audit_events;
	h bytea;
BEGIN
	FOR e IN SELECT * FROM audit_events WHERE tenant_id = '{{id}}' ORDER BY seq LOOP
		h := audit_hash(h, e.tenant_id, e.seq, e.at, e.action, e.outcome::text, e.salt, e.actor, e.detail);
		UPDATE audit_events SET hash = h WHERE tenant_id = e.tenant_id AND seq = e.seq;
	END LOOP;
	UPDATE tenants SET audit_head = h, audit_seq = (SELECT max(seq) FROM audit_events WHERE tenant_id = '{{id}}') WHERE id = '{{id}}';
END $$;`

func TestDB_VerifyAnchor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		anchor int64  // The event that is anchored.
		attack string // SQL that is run after the anchor is taken.
		words  string // Expected finding; empty for none.
	}{
		{"TheHead", 5, ``, ""},
		{"EarlierEvent", 2, ``, ""},
		{"LaterEventsAreNotCovered", 2, `UPDATE audit_events SET actor = '{"kind": "nobody"}' WHERE tenant_id = '{{id}}' AND seq = 4;` + rewriteChainSQL, ""},
		{"TheEventChanged", 3, `UPDATE audit_events SET detail = '{"x": 1}' WHERE tenant_id = '{{id}}' AND seq = 3;` + rewriteChainSQL,
			"row 3 has another hash than the contract anchored in ledger 77"},
		{"AnEventBeforeChanged", 4, `UPDATE audit_events SET actor = '{"kind": "nobody"}' WHERE tenant_id = '{{id}}' AND seq = 1;` + rewriteChainSQL,
			"row 4 has another hash than the contract anchored in ledger 77"},
		{"TailAndHeadCut", 5, `DELETE FROM audit_events WHERE tenant_id = '{{id}}' AND seq > 3;` + rewriteChainSQL,
			"row 5 is missing, although the contract anchored it in ledger 77"},
		{"AllGone", 5, `DELETE FROM audit_events WHERE tenant_id = '{{id}}'; UPDATE tenants SET audit_seq = 0, audit_head = NULL WHERE id = '{{id}}'`,
			"row 5 is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t)
			target := b.tenantWithHistory("Clinic")
			anchor := contracts.Anchor{Seq: c.anchor, Ledger: 77}
			copy(anchor.Root[:], value[[]byte](b, `SELECT hash FROM audit_events WHERE tenant_id = $1 AND seq = $2`, target.ID, c.anchor))
			b.ExecScript(strings.ReplaceAll(c.attack, "{{id}}", target.ID.String()))
			if strings.Contains(c.attack, "audit_hash") {
				if drift := b.verify(target.ID); len(drift) != 0 {
					t.Errorf("the database shows the attack without an anchor, so this test proves nothing: %+v", drift)
				}
			}
			drift, err := b.VerifyAnchor(t.Context(), target.ID, anchor)
			b.Must(err)
			switch {
			case c.words == "" && len(drift) > 0:
				t.Errorf("%+v", drift)
			case c.words != "" && (len(drift) != 1 || drift[0].Subject != verification.SubjectAudit || drift[0].TenantID != target.ID ||
				!strings.Contains(drift[0].Message, c.words)):
				t.Errorf("%+v, want %q", drift, c.words)
			}
		})
	}
	t.Run("UnknownTenant", func(t *testing.T) {
		b := setup(t)
		if drift, err := b.VerifyAnchor(t.Context(), uuid.New(), contracts.Anchor{Seq: 1}); err != nil || len(drift) != 1 {
			t.Errorf("%+v, %v", drift, err)
		}
	})
}
