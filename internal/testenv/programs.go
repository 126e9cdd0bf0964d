//go:build unix

package testenv

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// CLIVariable is the environment variable with the Terraform or OpenTofu CLI to test with.
// Default: terraform or tofu of PATH.
const CLIVariable = "HEALTHCARE_CLI"

// NewestCLIVariable is the environment variable with a CLI that has actions and lists:
// Terraform 1.14 or newer. "none": it cannot be built on this machine.
const NewestCLIVariable = "HEALTHCARE_CLI_NEWEST"

// programs are built programs by their folder.
var programs sync.Map

// Program builds a program of this repository and returns its path. main is its folder in
// the repository: "cmd/tenant-api", or "." for the provider.
func Program(t testing.TB, main string) string {
	t.Helper()
	built, _ := programs.LoadOrStore(main, &once[string]{make: func() (string, error) { return build(main) }})
	program, ok := built.(*once[string])
	if !ok {
		t.Fatalf("%T", built)
	}
	return program.get(t)
}

func build(main string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	// The test cache does not know the files that the build reads. Reading them here makes
	// the test depend on them.
	for _, dir := range []string{"internal", "cmd", "examples"} {
		if err := readSources(filepath.Join(root, dir)); err != nil {
			return "", err
		}
	}
	dir, err := os.MkdirTemp("", "testenv-")
	if err != nil {
		return "", err
	}
	addCleanup(func() error { return os.RemoveAll(dir) })
	name := filepath.Base(main)
	if main == "." {
		name = "terraform-provider-healthcare"
	}
	program := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-o", program, "./"+main)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", main, err, out)
	}
	return program, os.Chmod(dir, 0o755) // Other users may run it.
}

// readSources reads what a program can be built from.
func readSources(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "testdata" {
			return fs.SkipDir
		}
		if err == nil && slices.Contains([]string{".go", ".sql", ".html", ".css", ".js", ".svg", ".tmpl", ".wasm"}, filepath.Ext(path)) {
			_, err = os.ReadFile(path)
		}
		return err
	})
}

// Root is the folder of this repository, from any package of it.
func Root() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = parent
	}
	return "", err
}

// CLI is the path of the Terraform or OpenTofu CLI under test. A test without one fails:
// it would test nothing.
func CLI(t testing.TB) string {
	t.Helper()
	if path := os.Getenv(CLIVariable); path != "" {
		found, err := exec.LookPath(path)
		if err != nil {
			t.Fatalf("%s: %v", CLIVariable, err)
		}
		return found
	}
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("neither terraform nor tofu is on PATH; install one, or run make test, which builds one")
	return ""
}

// NewestCLI is the path of a CLI that has actions and lists. Without one the test is
// skipped; in CI, where "none" is the only excuse, it fails.
func NewestCLI(t testing.TB) string {
	t.Helper()
	path := os.Getenv(NewestCLIVariable)
	switch {
	case path == "none":
		t.Skip(NewestCLIVariable + " is none: the newest Terraform cannot be built here")
	case path == "" && os.Getenv("CI") == "true":
		t.Fatal(NewestCLIVariable + " is not set: CI tests with the newest Terraform; tools/terraform.sh builds it and prints its path")
	case path == "":
		t.Skip(NewestCLIVariable + " is not set: make test-newest builds the newest Terraform and runs this")
	}
	found, err := exec.LookPath(path)
	if err != nil {
		t.Fatalf("%s: %v", NewestCLIVariable, err)
	}
	return found
}

// Buffer collects output that several goroutines write.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends p. It never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String is everything that was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
