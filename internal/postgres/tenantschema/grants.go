package tenantschema

import (
	"regexp"
	"slices"
	"strings"
)

// grants are what a tenant's role may do: privileges by object, as "schema" or
// "table users".
type grants map[string][]string

// baselineGrants are the privileges that the baseline grants.
var baselineGrants = parseGrants(baseline)

var grantStatement = regexp.MustCompile(`^GRANT ([A-Z, ]+) ON (SCHEMA )?(\S.*) TO \{\{role\}\}$`)

// parseGrants reads the GRANT statements of the baseline, which are all of
// this simple form.
func parseGrants(b baselineFile) grants {
	all := grants{}
	for _, statement := range b.statementsWithPrefix("GRANT") {
		match := grantStatement.FindStringSubmatch(statement)
		if match == nil {
			panic("baseline.sql has a GRANT that is not understood: " + statement) // Only a broken build has it.
		}
		for object := range strings.SplitSeq(match[3], ", ") {
			name := "schema"
			if table, ok := strings.CutPrefix(object, "{{schema}}."); ok {
				name = "table " + table
			}
			all[name] = append(all[name], strings.Split(match[1], ", ")...)
		}
	}
	return all.sorted()
}

func (g grants) sorted() grants {
	for _, privileges := range g {
		slices.Sort(privileges)
	}
	return g
}
