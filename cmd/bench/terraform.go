//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provider"
)

// plugin names one of the two compared providers.
type plugin string

const (
	productPlugin plugin = "ours"
	noopPlugin    plugin = "noop" // See cmd/bench/noop.
)

const pluginName = "terraform-provider-healthcare"

// findCLI returns the path of terraform or tofu. HEALTHCARE_CLI, which make sets, takes precedence.
func findCLI() (string, error) {
	if path := os.Getenv("HEALTHCARE_CLI"); path != "" {
		return exec.LookPath(path)
	}
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("neither terraform nor tofu is on PATH: install one, or run make bench-provider, which builds one")
}

// buildPlugins builds both providers and writes a CLI configuration for each.
func (b *bench) buildPlugins(ctx context.Context) error {
	for p, source := range map[plugin]string{productPlugin: ".", noopPlugin: "./cmd/bench/noop"} {
		dir := filepath.Join(b.dir, string(p))
		out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, pluginName), source).CombinedOutput() //nolint:gosec // our own source
		if err != nil {
			return fmt.Errorf("build %s: %w: %s", source, err, out)
		}
		err = os.WriteFile(b.cliConfig(p), fmt.Appendf(nil, "provider_installation {\n  dev_overrides {\n    %[2]q = %[1]q\n    %[3]q = %[1]q\n  }\n  direct {}\n}\n",
			dir, provider.Address, strings.Replace(provider.Address, "terraform.io", "opentofu.org", 1)), 0o600)
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) cliConfig(p plugin) string { return filepath.Join(b.dir, string(p)+".tfrc") }

// workspace is a directory with a configuration and a state, and the CLI that uses it.
type workspace struct {
	b       *bench
	program string
	dir     string
	env     []string // Settings of the provider.
}

// newWorkspace creates a directory with a configuration.
func (b *bench) newWorkspace(configuration string, settings []string) (*workspace, error) {
	program, err := findCLI()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, "work-")
	if err != nil {
		return nil, err
	}
	t := &workspace{b: b, program: program, dir: dir, env: settings}
	return t, t.writeFile("main.tf", "terraform {\n  required_providers {\n    healthcare = { source = \"healthcare-platform/healthcare\" }\n  }\n}\n"+configuration)
}

func (t *workspace) writeFile(name, text string) error {
	return os.WriteFile(filepath.Join(t.dir, name), []byte(text), 0o600)
}

// runTime is the time that a run of the CLI took.
type runTime struct {
	wall time.Duration
	cpu  time.Duration // Of the CLI and of the provider.
}

// run runs a subcommand of the CLI with one of the providers.
func (t *workspace) run(ctx context.Context, p plugin, args ...string) (runTime, error) {
	cmd := exec.CommandContext(ctx, t.program, append(args, "-no-color", "-input=false")...) //nolint:gosec // the installed CLI
	cmd.Dir = t.dir
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.b.dir, "TMPDIR=" + os.Getenv("TMPDIR"),
		"TF_CLI_CONFIG_FILE=" + t.b.cliConfig(p), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1",
	}, t.env...)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return runTime{}, fmt.Errorf("%s %s with the %s provider: %w: %s", filepath.Base(t.program), strings.Join(args, " "), p, err, tail(out))
	}
	// The CLI waits for the provider to exit, so its CPU time includes the provider's.
	return runTime{time.Since(began), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil
}

// planUnchanged runs plan and fails if the plan has changes.
func (t *workspace) planUnchanged(ctx context.Context, p plugin, more ...string) (runTime, error) {
	return t.run(ctx, p, append([]string{"plan", "-detailed-exitcode"}, more...)...)
}

// tail returns the end of a program's output, because that of a plan can be long.
func tail(out []byte) []byte { return out[max(0, len(out)-4000):] }
