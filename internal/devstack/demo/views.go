//go:build unix

package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
)

// barWidth is how long the bar of the longest step is.
const barWidth = 26

func (s *screen) tenant(t tenant) {
	s.heading("The tenant, in public.tenants")
	s.field("Name", "%s", t.name)
	s.field("Status", "%s", s.paint(green, t.status))
	s.field("Id", "%s", t.id)
	s.field("Schema", "%s", t.schema)
	s.field("Contract", "%s", t.contract)
	s.field("Admin", "%s", t.admin)
}

func (s *screen) steps(steps []step) {
	s.heading("Its seven steps, in public.provisioning_logs")
	var longest time.Duration
	for _, step := range steps {
		longest = max(longest, step.took)
	}
	for i, step := range steps {
		s.print("    %d  %s%s %s", i+1, fill(step.name, 25), s.paint(blue, fill(bar(step.took, longest), barWidth)),
			s.paint(faint, fmt.Sprintf("%9.1f ms", float64(step.took)/float64(time.Millisecond))))
	}
}

// bar is a length in eighths of a character, visible also where it is almost nothing.
func bar(part, whole time.Duration) string {
	eighths := 1
	if whole > 0 {
		eighths = max(1, int(float64(part)/float64(whole)*barWidth*8))
	}
	rest := []string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"}[eighths%8]
	return strings.Repeat("█", eighths/8) + rest
}

func (s *screen) tables(t tenant) {
	s.heading("Its tables, in schema " + t.schema)
	s.rows(t)
}

func (s *screen) rows(t tenant) {
	for _, table := range t.tables {
		unit := "rows"
		if table.rows == 1 {
			unit = "row"
		}
		s.print("    %s%4d %s", s.paint(blue, fill(table.name, 24)), table.rows, unit)
	}
}

func (s *screen) contract(c contractOnLedger) {
	same := s.paint(green, "✓")
	s.heading("Its contract, read back from the ledger with getLedgerEntries")
	s.field("Code", "%s  %s the committed tenant_contract.wasm", shorten(c.code, 20), same)
	s.field("Admin", "%s  %s the deployer", shorten(c.admin, 20), same)
	s.field("Tenant", "%s  a hash: nothing personal is on chain", shorten(c.tenantHash, 20))
	s.field("Created", "in ledger %d; paid for until ledger %d", c.ledger, c.liveUntil)
}

func (s *screen) mail(m mailcatcher.Message) {
	s.heading("The mail that arrived")
	s.field("From", "%s <%s>", m.FromName, m.From)
	s.field("To", "%s <%s>", strings.Join(m.ToNames, ", "), strings.Join(m.To, ", "))
	s.field("Subject", "%s", m.Subject)
	s.field("Link", "%s", s.paint(yellow, invitation(m.Text)))
	s.print("")
}

// invitation is the link of the mail with most of its token left out.
func invitation(text string) string {
	const mark = "#invitation="
	for word := range strings.FieldsSeq(text) {
		if link, token, found := strings.Cut(word, mark); found {
			id := link[strings.LastIndexByte(link, '/')+1:]
			return strings.Replace(link, id, shorten(id, 12), 1) + mark + token[:min(6, len(token))] + "…"
		}
	}
	return "(none)"
}

func (s *screen) kept(t tenant) {
	s.heading("What is kept: schema " + t.schema)
	s.field("Status", "%s", s.paint(yellow, t.status))
	s.rows(t)
	s.print("    %s\n", s.paint(faint, "Destroy takes a tenant out of service. Its data, log and contract stay."))
}
