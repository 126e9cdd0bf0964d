package tenantschema

import (
	"crypto/sha256"
	"embed"
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

//go:embed migrations/*.sql
var schemaFiles embed.FS

// embedded are the files that take a tenant schema from version to version.
var embedded = parseEmbedded()

// Version is the newest version, which the baseline gives a new schema.
var Version = newestVersion(embedded)

// Migrations are this program's migrations of tenant schemas, and their baseline.
func Migrations() fs.FS {
	dir, err := fs.Sub(schemaFiles, "migrations")
	if err != nil {
		panic(err) // They are embedded; only a broken build lacks them.
	}
	return dir
}

func parseEmbedded() []schemaVersion {
	versions, err := parseVersions(Migrations())
	if err != nil {
		panic(err) // They are embedded; only a broken build has wrong ones.
	}
	return versions
}

func newestVersion(versions []schemaVersion) int { return versions[len(versions)-1].number }

// schemaVersion is one migration.
type schemaVersion struct {
	number    int
	file      string
	script    string
	checksum  string   // Of the script without comments; SHA-256, hex.
	baselines []string // Checksums of the baseline while this was the newest version.
}

// matchesChecksum reports whether a checksum in the ledger is that of the file, or of a
// baseline of this version.
func (v schemaVersion) matchesChecksum(checksum string) bool {
	return checksum == v.checksum || slices.Contains(v.baselines, checksum)
}

// scriptFor is the script for one tenant.
func (v schemaVersion) scriptFor(t tenant.Tenant) string {
	return strings.NewReplacer(
		"{{schema}}", pgx.Identifier{t.SchemaName}.Sanitize(), "{{role}}", pgx.Identifier{t.DatabaseRole}.Sanitize(),
	).Replace(v.script)
}

var versionFilePattern = regexp.MustCompile(`^([0-9]{5})_[a-z0-9_]+\.sql$`)

// parseVersions reads the migrations in a directory, which may also have the baseline.
// The versions begin with 1 and have no gaps.
func parseVersions(dir fs.FS) ([]schemaVersion, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, fmt.Errorf("read tenant migrations: %w", err)
	}
	var versions []schemaVersion
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
func parseVersion(number int, file, text string) schemaVersion {
	v := schemaVersion{number: number, file: file, script: text}
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
