//go:build unix

package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stack"
)

// envFileHeader is the start of every file that devstack writes. Other files are not
// changed.
const envFileHeader = "# Settings of devstack "

// envFile is the file of --env-file; without a path it does nothing.
type envFile struct {
	path   string
	header string // The first line, unique to this run.
}

// newEnvFile checks that the file can be written. It removes the file of an earlier run,
// so that a process that waits for the file does not read the old one.
func newEnvFile(path string) (*envFile, error) {
	if path == "" {
		return &envFile{}, nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("--env-file: %w", err)
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("--env-file: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("--env-file: %s is not a directory", filepath.Dir(path))
	}
	old, err := os.ReadFile(path) //nolint:gosec // the user names it
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("--env-file: %w", err)
	case len(old) > 0 && !bytes.HasPrefix(old, []byte(envFileHeader)):
		return nil, fmt.Errorf("--env-file: %s exists and was not written by devstack; remove it or name another file", path)
	default:
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("--env-file: %w", err)
		}
	}
	return &envFile{path: path, header: envFileHeader + rand.Text()}, nil
}

// write writes the whole file atomically, readable only by its owner.
func (f *envFile) write(env []string) error {
	if f.path == "" {
		return nil
	}
	content := fmt.Sprintf("%s: process %d, which removes this file when it ends.\n%s", f.header, os.Getpid(), stack.Export(env))
	temporary, err := os.CreateTemp(filepath.Dir(f.path), ".devstack-*") // With mode 0600.
	if err != nil {
		return fmt.Errorf("--env-file: %w", err)
	}
	_, err = temporary.WriteString(content)
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("--env-file: %w", errors.Join(err, os.Remove(temporary.Name())))
	}
	return nil
}

// remove removes the file unless another run has replaced it.
func (f *envFile) remove() error {
	if f.path == "" {
		return nil
	}
	content, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !bytes.HasPrefix(content, []byte(f.header)) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Remove(f.path)
}
