package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
)

// printRevision prints a revision with what each of its migrations does.
func printRevision(r blueprint.Revision, asJSON bool) error {
	if asJSON {
		return printJSON(dto.NewBlueprintRevision(r))
	}
	state := "not published"
	if r.Number != 0 {
		state = fmt.Sprintf("revision %d", r.Number)
	}
	if r.Active {
		state += ", active"
	}
	if _, err := fmt.Printf("Blueprint %s, %s, schema version %d, sha256 %.12s\n", r.Blueprint, state, r.SchemaVersion, r.SHA256); err != nil {
		return err
	}
	return printMigrations(r.Migrations)
}

// printMigrations prints a table of migrations.
func printMigrations(all []blueprint.MigrationReport) error {
	if len(all) == 0 {
		return nil
	}
	var rows [][]string
	for _, m := range all {
		samples := "no"
		if m.Sampled {
			samples = "yes"
		}
		rows = append(rows, []string{strconv.Itoa(m.Version), m.File, string(m.Class), effects(m), strings.Join(m.DeletesData, ", "), samples})
	}
	return printTable([]string{"VERSION", "FILE", "CLASS", "ON OLDER TABLES", "DELETES DATA", "SAMPLE ROWS"}, rows)
}

// effects says what a migration does to older tables.
func effects(m blueprint.MigrationReport) string {
	var parts []string
	if len(m.Rewrites) > 0 {
		parts = append(parts, "rewrites "+strings.Join(m.Rewrites, ", "))
	}
	if len(m.Scans) > 0 {
		parts = append(parts, "reads all of "+strings.Join(m.Scans, ", "))
	}
	if len(m.Locks) > 0 {
		parts = append(parts, "locks "+strings.Join(m.Locks, "; "))
	}
	return strings.Join(parts, "; ")
}

// printBlueprint prints a blueprint, its revisions, and the migrations of the newest.
func printBlueprint(s blueprint.Status) error {
	state := "no active revision"
	if s.ActiveRevision != 0 {
		state = fmt.Sprintf("revision %d is active", s.ActiveRevision)
	}
	if !s.RetiredAt.IsZero() {
		state = "retired since " + formatTime(s.RetiredAt)
	}
	if _, err := fmt.Printf("Blueprint %s: %s; %s, %d behind\n\n", s.Name, state, pluralize(s.Tenants, "tenant"), s.TenantsBehind); err != nil {
		return err
	}
	var rows [][]string
	for _, r := range s.Revisions {
		active := ""
		if r.Active {
			active = "active"
		}
		rows = append(rows, []string{strconv.Itoa(r.Number), active, strconv.Itoa(r.SchemaVersion), fmt.Sprintf("%.12s", r.SHA256), formatTime(r.PublishedAt), r.PublishedBy})
	}
	if err := printTable([]string{"REVISION", "", "SCHEMA VERSION", "SHA256", "PUBLISHED", "BY"}, rows); err != nil || len(s.Revisions) == 0 {
		return err
	}
	fmt.Println()
	return printMigrations(s.Revisions[0].Migrations)
}
