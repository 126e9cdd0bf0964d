package tenantschema

import (
	"io/fs"
	"strings"
)

// BaselineScript returns the DDL of a new tenant's schema as one script. The names must
// be valid without quotes.
func BaselineScript(schema, role string) string {
	var statements []string
	for _, part := range []string{"schema", "tables", "constraints"} {
		statements = append(statements, baseline.parts[part]...)
	}
	return strings.NewReplacer("{{schema}}", schema, "{{role}}", role).Replace(strings.Join(statements, ";\n"))
}

// ParseVersions reads the files of a directory and returns their checksums.
func ParseVersions(dir fs.FS) (checksums []string, err error) {
	versions, err := parseVersions(dir)
	for _, v := range versions {
		checksums = append(checksums, v.checksum)
	}
	return checksums, err
}

// NewestBaselines returns the baselines that the newest file lists.
func NewestBaselines() []string { return embedded[len(embedded)-1].baselines }

// BaselineChecksum returns the checksum of the baseline.
func BaselineChecksum() string { return baseline.checksum }

// RoleInspectionSQL is the expression of an inspection.
var RoleInspectionSQL = roleInspectionSQL
