package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// tenantSchemaVersions are the files that take a tenant schema from version to version.
var tenantSchemaVersions = embeddedVersions()

// TenantSchemaVersion is the newest version, which the baseline gives a new schema.
var TenantSchemaVersion = newestVersion(tenantSchemaVersions)

func embeddedVersions() []tenantSchemaVersion {
	dir, err := fs.Sub(migrations, "migrations/tenant")
	if err != nil {
		panic(err) // It is embedded; only a broken build lacks it.
	}
	versions, err := parseVersions(dir)
	if err != nil {
		panic(err) // The same.
	}
	return versions
}

func newestVersion(versions []tenantSchemaVersion) int { return versions[len(versions)-1].number }

// tenantSchemaVersion is one of the files.
type tenantSchemaVersion struct {
	number    int
	file      string
	script    string
	checksum  string   // Of the script without comments; SHA-256, hex.
	baselines []string // Checksums of the baseline while this was the newest version.
}

// matchesChecksum reports whether the ledger's checksum is this version's: of the file, or
// of the baseline that had its version.
func (v tenantSchemaVersion) matchesChecksum(checksum string) bool {
	return checksum == v.checksum || slices.Contains(v.baselines, checksum)
}

// scriptFor is the script for one tenant.
func (v tenantSchemaVersion) scriptFor(t tenant.Tenant) string {
	return strings.NewReplacer(
		"{{schema}}", pgx.Identifier{t.SchemaName}.Sanitize(), "{{role}}", pgx.Identifier{t.DatabaseRole}.Sanitize(),
	).Replace(v.script)
}

var versionFilePattern = regexp.MustCompile(`^([0-9]{5})_[a-z0-9_]+\.sql$`)

// parseVersions reads the files of a directory, beside which only the baseline may
// be there. The versions begin with 1 and have no gaps.
func parseVersions(dir fs.FS) ([]tenantSchemaVersion, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, fmt.Errorf("read tenant migrations: %w", err)
	}
	var versions []tenantSchemaVersion
	for _, entry := range entries { // In the order of their names, which is that of the numbers.
		if entry.Name() == "baseline.sql" {
			continue
		}
		match := versionFilePattern.FindStringSubmatch(entry.Name())
		if match == nil {
			return nil, fmt.Errorf("tenant migration %q has no name like 00002_what_it_does.sql", entry.Name())
		}
		number, _ := strconv.Atoi(match[1]) // Five digits.
		if number != len(versions)+1 {
			return nil, fmt.Errorf("tenant migration %q should have the number %05d: they go up from 1 without gaps", entry.Name(), len(versions)+1)
		}
		text, err := fs.ReadFile(dir, entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read tenant migration %q: %w", entry.Name(), err)
		}
		versions = append(versions, parseVersion(number, entry.Name(), string(text)))
	}
	if len(versions) == 0 {
		return nil, fmt.Errorf("there are no tenant migrations")
	}
	return versions, nil
}

// parseVersion skips comment lines: they may be corrected later.
func parseVersion(number int, file, text string) tenantSchemaVersion {
	v := tenantSchemaVersion{number: number, file: file, script: text}
	sum := sha256.New()
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if comment, ok := strings.CutPrefix(line, "--"); ok {
			if baseline, ok := strings.CutPrefix(strings.TrimSpace(comment), "baseline: "); ok {
				v.baselines = append(v.baselines, baseline)
			}
		} else if line != "" {
			_, _ = sum.Write([]byte(line + "\n"))
		}
	}
	v.checksum = hex.EncodeToString(sum.Sum(nil))
	return v
}
