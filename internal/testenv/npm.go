//go:build unix

package testenv

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// NodeModules returns a folder node_modules with what the package-lock.json in files pins; optional
// dependencies only if optional is set. It is downloaded once into the user's cache folder, where
// its name is the lock file's hash. Without npm, the test is skipped, and fails in CI.
func NodeModules(t testing.TB, files fs.FS, optional bool) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		SkipUnlessCI(t, "npm is not installed: apt-get install nodejs npm")
	}
	modules, err := installModules(t.Context(), npm, files, optional)
	if err != nil {
		t.Fatalf("install packages of npm: %v", err)
	}
	return modules
}

// installModules creates the folder under another name and renames it when it is complete, so
// that neither a crash nor a concurrent run leaves an incomplete one.
func installModules(ctx context.Context, npm string, files fs.FS, optional bool) (string, error) {
	dir, err := modulesDir(files, optional)
	if err != nil {
		return "", err
	}
	modules := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o750); err != nil {
		return "", fmt.Errorf("make cache folder: %w", err)
	}
	tempDir, err := os.MkdirTemp(filepath.Dir(dir), "new-")
	if err != nil {
		return "", fmt.Errorf("make cache folder: %w", err)
	}
	err = npmCI(ctx, npm, tempDir, files, optional)
	if err == nil {
		err = os.Rename(tempDir, dir)
	}
	if err == nil || errors.Is(err, fs.ErrExist) {
		return modules, os.RemoveAll(tempDir)
	}
	return "", errors.Join(err, os.RemoveAll(tempDir))
}

func modulesDir(files fs.FS, optional bool) (string, error) {
	lock, err := fs.ReadFile(files, "package-lock.json")
	if err != nil {
		return "", fmt.Errorf("read lock file: %w", err)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find cache folder: %w", err)
	}
	name := fmt.Sprintf("%x", sha256.Sum256(lock))[:16]
	if optional {
		name += "-optional"
	}
	return filepath.Join(base, "terraform-provider-healthcare", "npm", name), nil
}

// npmCI installs only what the lock file has. Install scripts of packages do not run.
func npmCI(ctx context.Context, npm, dir string, files fs.FS, optional bool) error {
	for _, file := range []string{"package.json", "package-lock.json"} {
		content, err := fs.ReadFile(files, file)
		if err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
			return fmt.Errorf("copy %s: %w", file, err)
		}
	}
	args := []string{"ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"}
	if !optional {
		args = append(args, "--omit=optional")
	}
	cmd := exec.CommandContext(ctx, npm, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
