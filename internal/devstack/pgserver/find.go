//go:build unix

package pgserver

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNoBinaries is returned by Find when no PostgreSQL server is installed in the usual
// places.
var ErrNoBinaries = errors.New("no PostgreSQL server binaries (initdb, postgres) were found on PATH or in the usual places")

// installPatterns are where packages install the server's binaries, which many of them
// do not put on PATH.
var installPatterns = []string{
	"/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
	"/usr/pgsql-*/bin",                                   // Red Hat
	"/opt/homebrew/opt/postgresql@*/bin",                 // Homebrew on Apple silicon
	"/usr/local/opt/postgresql@*/bin",                    // Homebrew on Intel
	"/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
	"/usr/local/pgsql/bin",                               // built from source
}

// Find returns the directory of the PostgreSQL binaries of a major version, or of any
// version if major is 0: that of the initdb on PATH, otherwise the newest installation. It
// returns ErrNoBinaries when there is none.
func Find(ctx context.Context, major int) (string, error) {
	onPath, err := exec.LookPath("initdb")
	if err != nil {
		onPath = ""
	}
	return find(onPath, installPatterns, func(dir string) bool {
		return hasBinaries(dir) && (major == 0 || majorVersion(ctx, dir) == major)
	})
}

func find(onPath string, patterns []string, suitable func(dir string) bool) (string, error) {
	// Symbolic links are resolved, because the program on PATH is often a link.
	if path, err := filepath.EvalSymlinks(onPath); onPath != "" && err == nil && suitable(filepath.Dir(path)) {
		return filepath.Dir(path), nil
	}
	var found []string
	for _, pattern := range patterns {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		found = append(found, slices.DeleteFunc(dirs, func(dir string) bool { return !suitable(dir) })...)
	}
	if len(found) == 0 {
		return "", ErrNoBinaries
	}
	return slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(pathVersion(a), pathVersion(b)) }), nil
}

// majorVersion is the major version that the server binary in dir says, 0 if it does not
// run.
func majorVersion(ctx context.Context, dir string) int {
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output() //nolint:gosec // G204: a folder that devstack's user has PostgreSQL in
	if err != nil {
		return 0
	}
	return parseMajor(string(out))
}

// parseMajor returns the major version in the server binary's answer, 0 without one.
func parseMajor(answer string) int {
	_, version, _ := strings.Cut(answer, "(PostgreSQL) ")
	digits := strings.IndexFunc(version+" ", func(r rune) bool { return r < '0' || r > '9' })
	major, _ := strconv.Atoi(version[:digits]) // 0 if there are no digits.
	return major
}

func hasBinaries(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.IsDir() {
			return false
		}
	}
	return true
}

// pathVersion is the last number in an installation's path, 0 without one.
func pathVersion(dir string) (found float64) {
	for part := range strings.SplitSeq(dir, string(filepath.Separator)) {
		part = strings.TrimPrefix(strings.TrimPrefix(part, "postgresql@"), "pgsql-")
		if v, err := strconv.ParseFloat(part, 64); err == nil {
			found = v
		}
	}
	return found
}
