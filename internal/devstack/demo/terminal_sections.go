//go:build unix

package demo

import (
	"fmt"
	"strings"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
)

// barWidth is the length of the longest step's bar, in characters.
const barWidth = 26

func (s *terminalView) printTenant(t tenantState) {
	s.printHeading("The tenant, in public.tenants")
	s.printField("Name", "%s", t.name)
	s.printField("Status", "%s", s.paint(green, t.status))
	s.printField("Id", "%s", t.id)
	s.printField("Schema", "%s", t.schema)
	s.printField("Contract", "%s", t.contract)
	s.printField("Admin", "%s", t.admin)
}

func (s *terminalView) printSteps(steps []stepInfo) {
	s.printHeading("Its seven steps, in public.provisioning_logs")
	var longest time.Duration
	for _, step := range steps {
		longest = max(longest, step.duration)
	}
	for i, step := range steps {
		s.print("    %d  %s%s %s", i+1, padRight(step.name, 25), s.paint(blue, padRight(durationBar(step.duration, longest), barWidth)),
			s.paint(faint, formatMilliseconds(step.duration)))
	}
}

func formatMilliseconds(d time.Duration) string {
	return fmt.Sprintf("%9.1f ms", float64(d)/float64(time.Millisecond))
}

// durationBar is a length in eighths of a character, at least one.
func durationBar(value, total time.Duration) string {
	eighths := 1
	if total > 0 {
		eighths = max(1, int(float64(value)/float64(total)*barWidth*8))
	}
	partial := []string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"}[eighths%8]
	return strings.Repeat("█", eighths/8) + partial
}

func (s *terminalView) printTables(t tenantState) {
	s.printHeading("Its tables, in schema " + t.schema)
	s.printTableRows(t)
}

func (s *terminalView) printTableRows(t tenantState) {
	for _, table := range t.tables {
		unit := "rows"
		if table.rows == 1 {
			unit = "row"
		}
		s.print("    %s%4d %s", s.paint(blue, padRight(table.name, 24)), table.rows, unit)
	}
}

func (s *terminalView) printContract(c ledgerContract) {
	checkMark := s.paint(green, "✓")
	s.printHeading("Its contract, read back from the ledger with getLedgerEntries")
	s.printField("Code", "%s  %s the committed tenant_contract.wasm", shorten(c.code, 20), checkMark)
	s.printField("Admin", "%s  %s the deployer", shorten(c.admin, 20), checkMark)
	s.printField("Tenant", "%s  a hash: nothing personal is on chain", shorten(c.tenantHash, 20))
	s.printField("Created", "in ledger %d; paid for until ledger %d", c.ledger, c.liveUntil)
}

func (s *terminalView) printMail(m mailcatcher.Message) {
	s.printHeading("The mail that arrived")
	s.printField("From", "%s <%s>", m.FromName, m.From)
	s.printField("To", "%s <%s>", strings.Join(m.ToNames, ", "), strings.Join(m.To, ", "))
	s.printField("Subject", "%s", m.Subject)
	s.printField("Link", "%s", s.paint(yellow, shortInvitationLink(m.Text)))
	s.print("")
}

// shortInvitationLink is the mail's link without most of its token.
func shortInvitationLink(text string) string {
	const marker = "#invitation="
	for field := range strings.FieldsSeq(text) {
		if link, token, found := strings.Cut(field, marker); found {
			return link + marker + token[:min(6, len(token))] + "…"
		}
	}
	return "(none)"
}

func (s *terminalView) printKept(t tenantState) {
	s.printHeading("What is kept: schema " + t.schema)
	s.printField("Status", "%s", s.paint(yellow, t.status))
	s.printTableRows(t)
	s.print("    %s\n", s.paint(faint, "Destroy takes a tenant out of service. Its data, log and contract stay."))
}

// printClinics prints the tables of the first clinic; the others have the same. Below them is the
// blueprint's own step of each, in the log, with its output.
func (s *terminalView) printClinics(clinics []clinicState) {
	s.printHeading(fmt.Sprintf("Your own tables, the same in %d clinics: %s, version %d", len(clinics), clinics[0].name, clinics[0].schemaVersion))
	s.printTableRows(tenantState{tables: clinics[0].tables})
	s.printHeading("Your own step " + clinics[0].ownStep.name + ", in the log, and its output")
	for _, c := range clinics {
		s.print("    %s%s%s   directory_id %s", s.paint(blue, padRight(c.name, 18)), s.paint(green, padRight(c.ownStep.status, 10)),
			s.paint(faint, formatMilliseconds(c.ownStep.duration)), shorten(c.directoryID, 14))
	}
	s.print("")
}

// printRollOut prints what the newest migration does, and the report of the migration.
func (s *terminalView) printRollOut(r revision, report string) {
	newest := r.Migrations[len(r.Migrations)-1]
	s.printHeading(fmt.Sprintf("Revision %d of the blueprint, rolled out", r.Revision))
	s.printField("File", "%s", newest.File)
	s.printField("Class", "%s", s.paint(green, newest.Class))
	s.printField("Locks", "%s", strings.Join(newest.Locks, ", "))
	for line := range strings.Lines(report) {
		s.print("    %s", strings.TrimRight(line, "\n"))
	}
	s.print("")
}
