//go:build unix

package pgserver

import (
	"cmp"
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

// Find returns the directory of the PostgreSQL binaries: that of the initdb on PATH,
// otherwise the newest installation. It returns ErrNoBinaries when there is none.
func Find() (string, error) {
	onPath, err := exec.LookPath("initdb")
	if err != nil {
		onPath = ""
	}
	return find(onPath, installPatterns)
}

func find(onPath string, patterns []string) (string, error) {
	// Symbolic links are resolved, because the program on PATH is often a link.
	if path, err := filepath.EvalSymlinks(onPath); onPath != "" && err == nil && hasBinaries(filepath.Dir(path)) {
		return filepath.Dir(path), nil
	}
	var found []string
	for _, pattern := range patterns {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		found = append(found, slices.DeleteFunc(dirs, func(dir string) bool { return !hasBinaries(dir) })...)
	}
	if len(found) == 0 {
		return "", ErrNoBinaries
	}
	return slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(pathVersion(a), pathVersion(b)) }), nil
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
