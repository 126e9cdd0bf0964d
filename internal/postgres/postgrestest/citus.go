//go:build unix

package postgrestest

import (
	"regexp"
	"strings"
)

// refusedByCitus are statements on the tables of a distributed schema that Citus 13 refuses,
// or runs with another result than PostgreSQL.
var refusedByCitus = map[string]*regexp.Regexp{
	"INSERT ... SELECT FROM a function has no distributed plan": regexp.MustCompile(`(?is)^\s*insert\s.*\bselect\b.*\bfrom\s+(unnest|generate_series|jsonb?_\w+)\s*\(`),
	"a subquery in VALUES":                                     regexp.MustCompile(`(?is)^\s*insert\s.*\bvalues\s*\(.*\bselect\b`),
	"a volatile function in UPDATE":                            regexp.MustCompile(`(?is)^\s*update\s.*\b(random|gen_random_uuid|clock_timestamp|nextval|statement_timestamp)\s*\(`),
	"a stable function of a column in UPDATE":                  regexp.MustCompile(`(?is)^\s*update\s.*\b(to_char|age|date_trunc)\s*\(`),
	"an ALTER TABLE that does something beside ADD CONSTRAINT": regexp.MustCompile(`(?is)^\s*alter\s+table\s.*\badd\s+constraint\b.*,\s*(add|drop|alter)\b`),
	"a rule":                  regexp.MustCompile(`(?is)^\s*create\s+(or\s+replace\s+)?rule\b`),
	"a table that inherits":   regexp.MustCompile(`(?is)^\s*create\s+table\s.*\binherits\b`),
	"a table from a query":    regexp.MustCompile(`(?is)^\s*create\s+table\s.*\bas\s+select\b`),
	"MERGE":                   regexp.MustCompile(`(?is)^\s*merge\s+into\b`),
	"a temporary table":       regexp.MustCompile(`(?is)^\s*create\s+temp`),
	"a sequence below bigint": regexp.MustCompile(`(?is)^\s*create\s+table\s.*\b(serial|smallserial|integer\s+generated)\b`),
}

// ofBlueprint matches the statements of the blueprint standard, whose names have no schema.
var ofBlueprint = regexp.MustCompile(`(?i)\b(roles|users|audit_logs|audit_head)\b`)

// RefusedByCitus says why Citus refuses a statement that names one of the schemas; "": it does
// not. Schemas are on different nodes: no statement may name two of them.
func RefusedByCitus(statement string, schemas ...string) string {
	named := 0
	for _, schema := range schemas {
		if strings.Contains(statement, schema+`.`) || strings.Contains(statement, `"`+schema+`".`) {
			named++
		}
	}
	if named > 1 {
		return "tables of two tenants in one statement"
	}
	if named == 0 && ofBlueprint.MatchString(statement) {
		named = 1
	}
	for why, pattern := range refusedByCitus {
		if named == 1 && pattern.MatchString(statement) {
			return why
		}
	}
	return ""
}
