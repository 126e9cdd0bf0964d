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

// plugin is one of the two providers that are compared.
type plugin string

const (
	productPlugin plugin = "ours"
	noopPlugin    plugin = "noop" // See cmd/bench/noop.
)

const pluginName = "terraform-provider-healthcare"

// findCLI finds the program; make sets HEALTHCARE_CLI.
func findCLI() (string, error) {
	if path := os.Getenv("HEALTHCARE_CLI"); path != "" {
		return exec.LookPath(path)
	}
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("neither terraform nor tofu is on PATH; install one, or run make bench-provider, which builds one")
}

// buildPlugins builds both providers, each with a CLI configuration that uses it.
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

// workspace is a directory with a configuration and a state, and the CLI at work in it.
type workspace struct {
	b       *bench
	program string
	dir     string
	env     []string // The platform's settings.
}

// newWorkspace makes a directory with a configuration.
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

// runTime is what a run of the CLI took.
type runTime struct {
	wall time.Duration
	cpu  time.Duration // Of the CLI and of the provider.
}

// run runs a subcommand with one of the providers.
func (t *workspace) run(ctx context.Context, p plugin, args ...string) (runTime, error) {
	cmd := exec.CommandContext(ctx, t.program, append(args, "-no-color", "-input=false")...) //nolint:gosec // the CLI that the person has
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
	// The CLI waits for the provider's end, so that its use is in there.
	return runTime{time.Since(began), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil
}

// planUnchanged plans, and fails when there is anything to do.
func (t *workspace) planUnchanged(ctx context.Context, p plugin, more ...string) (runTime, error) {
	return t.run(ctx, p, append([]string{"plan", "-detailed-exitcode"}, more...)...)
}

// tail is the end of what a program has written: that of a plan can be long.
func tail(out []byte) []byte { return out[max(0, len(out)-4000):] }
