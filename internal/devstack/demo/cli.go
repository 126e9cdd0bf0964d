//go:build unix

package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// cli runs the terraform or tofu program in a directory with a configuration.
type cli struct {
	program   string
	workspace *workspace
	dir       string
	env       []string
}

// name is the program's name in the output.
func (c *cli) name() string { return filepath.Base(c.program) }

// exec runs a subcommand and returns its standard output.
func (c *cli) exec(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.program, args...) //nolint:gosec // G204: the CLI of the demo's user
	cmd.Dir, cmd.Env = c.dir, c.env
	if cmd.Env == nil {
		cmd.Env = c.workspace.cliEnv()
	}
	out, err := c.workspace.run(cmd)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return out, fmt.Errorf("%s %s: %w", c.name(), args[0], err)
	}
	return out, nil
}

// version is the program's name and version.
func (c *cli) version(ctx context.Context) (string, error) {
	out, err := c.exec(ctx, "version")
	if err != nil {
		return "", fmt.Errorf("%q does not work: %w", c.program, err)
	}
	first, _, _ := strings.Cut(out, "\n")
	return strings.TrimSpace(first), nil
}

// summary matches the CLI's summary of a change: "Apply complete! Resources: 1 added,
// ...".
var summary = regexp.MustCompile(`complete! (?:Resources: )?([^\n]*?)\.?\n`)

// applyChange runs apply or destroy.
func (c *cli) applyChange(ctx context.Context, verb string, outcome *string) error {
	out, err := c.exec(ctx, verb, "-auto-approve", "-input=false", "-no-color")
	if err != nil {
		return err
	}
	if found := summary.FindStringSubmatch(out); found != nil {
		*outcome = found[1]
	}
	return nil
}

// planExpectNoChanges runs a plan, and fails when it has changes.
func (c *cli) planExpectNoChanges(ctx context.Context) error {
	out, err := c.exec(ctx, "plan", "-detailed-exitcode", "-input=false", "-no-color")
	var exitErr *exec.ExitError
	if errors.As(err, &exitErr) && exitErr.ExitCode() == 2 {
		return &logError{err: errors.New("the plan has changes, although nothing was changed"), log: out}
	}
	return err
}

// output returns one of the configuration's outputs.
func (c *cli) output(ctx context.Context, name string) (string, error) {
	out, err := c.exec(ctx, "output", "-json", "-no-color", name)
	if err != nil {
		return "", err
	}
	var value string
	if err := json.Unmarshal([]byte(out), &value); err != nil {
		return "", fmt.Errorf("output %q is %q: %w", name, out, err)
	}
	return value, nil
}
