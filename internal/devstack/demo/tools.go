//go:build unix

package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// CLIEnv is the environment variable with the path of the CLI.
const CLIEnv = "HEALTHCARE_CLI"

// FindCLI returns the program in CLIEnv, otherwise the terraform or tofu on PATH.
func FindCLI() (string, error) {
	if configured := os.Getenv(CLIEnv); configured != "" {
		path, err := exec.LookPath(configured)
		if err != nil {
			return "", fmt.Errorf("%s is %q, which cannot be run: %w", CLIEnv, configured, err)
		}
		return path, nil
	}
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("neither terraform nor tofu is on PATH: run \"make demo\", which builds a CLI where there is none, "+
		"install one of them, or name it in %s", CLIEnv)
}

// moduleRoot is the root of the working directory's module.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module with go: %w", err)
	}
	path := strings.TrimSpace(string(out))
	if path == "" || path == os.DevNull {
		return "", errors.New("this directory is in no Go module: run the demo in a clone of the provider")
	}
	return filepath.Dir(path), nil
}

// build compiles the provider, tenant-api and examples/directory into the workspace.
func build(ctx context.Context, root string, w *workspace) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", w.binPath(), ".", "./cmd/tenant-api", "./examples/directory") //nolint:gosec // G204: a folder of the demo
	cmd.Dir = root
	if _, err := w.run(cmd); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	return nil
}
