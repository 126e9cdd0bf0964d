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

// envFileHeader begins every file that devstack writes. Others are not touched.
const envFileHeader = "# Settings of devstack "

// envFile is the file of --env-file; without a path it does nothing.
type envFile struct {
	path   string
	header string // The first line, which no other run's file has.
}

// newEnvFile checks that the file can be written. It removes the one of an
// earlier run, so that nobody who waits for it takes that for the new one.
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
		return nil, fmt.Errorf("--env-file: %s is no directory", filepath.Dir(path))
	}
	old, err := os.ReadFile(path) //nolint:gosec // the user names it
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("--env-file: %w", err)
	case len(old) > 0 && !bytes.HasPrefix(old, []byte(envFileHeader)):
		return nil, fmt.Errorf("--env-file: %s is there and not by devstack; remove it or name another file", path)
	default:
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("--env-file: %w", err)
		}
	}
	return &envFile{path: path, header: envFileHeader + rand.Text()}, nil
}

// write puts the whole file into its place at once, readable by its owner alone.
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

// remove removes the file unless it is another run's by now.
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
