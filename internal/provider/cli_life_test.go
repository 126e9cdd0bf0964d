package provider_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
)

// lifeConfiguration is the tenant of the life with some more lines.
func lifeConfiguration(lines string) string {
	return header + "provider \"healthcare\" {\n  allow_purge = true\n}\n" + clinicWith("  external_id = \"crm-1\"\n"+lines)
}

// TestCLITenant_Life is a tenant's whole life with the CLI: applied, suspended, resumed, held, not purged,
// the hold cleared with a reason, archived, unarchived, archived and purged. Then its name and external
// id are free, nothing has personal data of it, and the audit chains verify.
func TestCLITenant_Life(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setup(t, m, "")
		w.env["ALLOW_EARLY_PURGE"] = "true"
		const (
			hold    = "  legal_hold = { active = true, reason = \"Case of Grace Hopper\" }\n"
			cleared = "  legal_hold = { active = false, reason = \"Grace Hopper has withdrawn\" }\n"
			purge   = "  deletion_policy = \"PURGE\"\n"
			back    = "  unarchive_existing = true\n"
		)
		apply := func(lines, status string) {
			t.Helper()
			w.write("main.tf", lifeConfiguration(lines))
			w.mustApply()
			if got := w.registry.Tenant(); string(got.Status) != status {
				t.Fatalf("the tenant is %s, want %s", got.Status, status)
			}
			w.assertNoChanges()
		}
		destroy := func(lines string) {
			t.Helper()
			w.write("main.tf", lifeConfiguration(lines))
			if r := w.run("destroy", "-auto-approve", "-no-color"); r.code != 0 {
				t.Fatal(r.out)
			}
		}
		apply("", "ACTIVE")
		id, schema := w.registry.Tenant().ID, w.registry.Tenant().SchemaName
		apply("  suspended = true\n", "SUSPENDED")
		w.wantContractStatus("SUSPENDED")
		apply("  suspended = false\n", "ACTIVE")
		w.wantContractStatus("ACTIVE")
		apply(purge, "ACTIVE")
		w.moveTenant(id, "hold set", "--reason", "Case of Grace Hopper")
		// The state does not know the hold: the registry refuses, records it, and archives nothing.
		w.run("destroy", "-auto-approve", "-no-color", "-refresh=false").wantText(t, "Could not purge tenant", "Case of Grace Hopper", "is ACTIVE, and stays in the state")
		if n := w.registry.Refusals(id, audit.ActionPurge); n != 1 {
			t.Errorf("%d refusals are recorded", n)
		}
		apply(hold+purge, "ACTIVE")
		w.run("destroy", "-auto-approve", "-no-color").wantText(t, "Tenant is under a legal hold", "Case of Grace Hopper")
		apply(cleared, "ACTIVE")
		destroy(cleared)
		if got := w.registry.Tenant(); got.Status != "ARCHIVED" {
			t.Fatalf("the tenant is %s", got.Status)
		}
		apply(back, "ACTIVE")
		if got := w.registry.Tenant(); got.ID != id {
			t.Errorf("another tenant was made: %s", got.ID)
		}
		apply(back+purge, "ACTIVE")
		destroy(back + purge)
		if w.count(`SELECT count(*) FROM pg_namespace WHERE nspname = $1`, schema) != 0 {
			t.Error("the schema is there")
		}

		w.assertNoPersonalData("Ada", "Lovelace", "ada@st-marys.example", "Grace", "Hopper")
		w.tenantAPI("tenants", "verify", id)
		w.tenantAPI("tenants", "verify")
		w.write("main.tf", lifeConfiguration(""))
		w.mustApply() // Name and external id are free.
		if again := w.state("healthcare_tenant.clinic"); again["id"] == id || again["external_id"] != "crm-1" || again["status"] != "ACTIVE" {
			t.Errorf("%v", again)
		}
		destroy("")
	})
}

// feed is everything in GET /admin/events, if there is a server.
func (w *testEnv) feed() (all string) {
	w.t.Helper()
	if w.mode != apiMode {
		return ""
	}
	key := strings.TrimSpace(w.tenantAPI("apikey", "create", "--name", "feed", "--scope", "admin"))
	for query := "?limit=100"; ; {
		r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.server.url+"/admin/events"+query, http.NoBody)
		if err != nil {
			w.t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			w.t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		if err = errors.Join(err, response.Body.Close()); err != nil || response.StatusCode != http.StatusOK {
			w.t.Fatalf("%s, %v: %s", response.Status, err, text)
		}
		var page struct {
			Events     []json.RawMessage
			NextCursor string
		}
		if err := json.Unmarshal(text, &page); err != nil {
			w.t.Fatal(err)
		}
		if all += string(text); len(page.Events) == 0 {
			return all
		}
		query = "?limit=100&cursor=" + url.QueryEscape(page.NextCursor)
	}
}

// assertNoPersonalData searches every table of the database, the feed, and the log of tenant-api, for
// words that only the data of persons have.
func (w *testEnv) assertNoPersonalData(words ...string) {
	w.t.Helper()
	rows, _ := w.pg.Query(w.t.Context(), `SELECT table_schema, table_name FROM information_schema.tables
		WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`)
	tables, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (table pgx.Identifier, err error) {
		table = make(pgx.Identifier, 2)
		return table, r.Scan(&table[0], &table[1])
	})
	if err != nil || len(tables) < 20 {
		w.t.Fatalf("%d tables, %v", len(tables), err)
	}
	for _, table := range tables {
		for _, word := range words {
			// With word boundaries: a hash in base 64 can have three letters by chance.
			if n := w.count(`SELECT count(*) FROM `+table.Sanitize()+` row WHERE row::text ~* $1`, `\m`+regexp.QuoteMeta(word)+`\M`); n != 0 {
				w.t.Errorf("%d rows of %s have %q", n, table.Sanitize(), word)
			}
		}
	}
	feed := w.feed()
	if w.mode == apiMode && !strings.Contains(feed, `"tenant.purge"`) {
		w.t.Errorf("the feed does not have the purge: %s", feed)
	}
	for _, word := range words {
		if regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(word) + `\b`).MatchString(feed) {
			w.t.Errorf("the feed has %q", word)
		}
		if strings.Contains(w.serverLog.String(), word) {
			w.t.Errorf("the log of tenant-api has %q", word)
		}
	}
}
