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

// cli is the terraform or tofu program, at work on the example.
type cli struct {
	program   string
	workspace *workspace
	env       []string
}

// name is what the program is called on the screen.
func (c *cli) name() string { return filepath.Base(c.program) }

// exec runs a subcommand and gives what it wrote to standard output.
func (c *cli) exec(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.program, args...)
	cmd.Dir, cmd.Env = c.workspace.examplePath(), c.env
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

// summary is what a CLI says after a change: "Apply complete! Resources: 1 added, ...".
var summary = regexp.MustCompile(`complete! (?:Resources: )?([^\n]*?)\.?\n`)

// applyChange applies or destroys.
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

// planExpectNoChanges plans, and fails when there would be anything to do.
func (c *cli) planExpectNoChanges(ctx context.Context) error {
	out, err := c.exec(ctx, "plan", "-detailed-exitcode", "-input=false", "-no-color")
	var exitErr *exec.ExitError
	if errors.As(err, &exitErr) && exitErr.ExitCode() == 2 {
		return &logError{err: errors.New("the plan has changes, although nothing was changed"), log: out}
	}
	return err
}

// output is one of the configuration's outputs.
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
