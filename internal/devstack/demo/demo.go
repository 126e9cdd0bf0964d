//go:build unix

package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stack"
)

// Options configure the demo. The zero value runs it on the module of the working
// directory, without output.
type Options struct {
	// Out gets the output. Default: none.
	Out io.Writer
	// Colour enables colours and the line of the running stage.
	Colour bool
	// Stay serves the tenants when all is shown, until the context ends, and prints the address of the console.
	Stay bool
	// CLI is the terraform or tofu program. Default: FindCLI.
	CLI string
	// Root is the module's directory. Default: that of the working directory.
	Root string
	// LedgerClose is the time between two ledgers. Default: that of the stack.
	LedgerClose time.Duration
}

// demoRun is one run.
type demoRun struct {
	options   Options
	screen    *terminalView
	workspace *workspace
	stack     *stack.Stack
	directory *directory
	cli       *cli
}

// Run runs the demo. When a stage fails, it returns a *StageError.
func Run(ctx context.Context, o Options) (err error) {
	if o.Out == nil {
		o.Out = io.Discard
	}
	d := &demoRun{options: o, screen: newTerminalView(o.Out, o.Colour)}
	defer func() { err = errors.Join(err, d.cleanUp()) }() //nolint:contextcheck // cleanup ignores the context
	if err := d.prepare(ctx); err != nil {
		return err
	}
	for _, stage := range []func(context.Context) error{d.apply, d.planUnchanged, d.destroy, d.clinics} {
		if err := stage(ctx); err != nil {
			return err
		}
	}
	if d.options.Stay {
		return d.stay(ctx)
	}
	d.screen.printFooter()
	return nil
}

// prepare builds the programs while the stack starts.
func (d *demoRun) prepare(ctx context.Context) (err error) {
	if d.options.Root == "" {
		if d.options.Root, err = moduleRoot(ctx); err != nil {
			return err
		}
	}
	if d.options.CLI == "" {
		if d.options.CLI, err = FindCLI(); err != nil {
			return err
		}
	}
	if d.workspace, err = newWorkspace(d.options.Root); err != nil {
		return err
	}
	d.cli = &cli{program: d.options.CLI, workspace: d.workspace, dir: d.workspace.examplePath()}
	name, err := d.cli.version(ctx)
	if err != nil {
		return err
	}
	d.screen.printTitle("A healthcare tenant, end to end", name)
	parts, partsCtx := errgroup.WithContext(ctx)
	parts.Go(func() error {
		if err := d.screen.runStage("Build the provider and tenant-api", func() error { return build(partsCtx, d.options.Root, d.workspace) }); err != nil {
			return err
		}
		return d.screen.runStage("Start examples/directory, which a step of the clinics calls", func() (err error) {
			d.directory, err = startDirectory(partsCtx, d.workspace)
			return err
		})
	})
	parts.Go(func() error {
		return d.screen.runStage("Start PostgreSQL, a Stellar network and a mail catcher", func() (err error) {
			d.stack, err = stack.Start(partsCtx, stack.Options{LedgerClose: d.options.LedgerClose, Progress: d.screen})
			return err
		})
	})
	if err := parts.Wait(); err != nil {
		return err
	}
	d.cli.env = append(d.stack.EnvOver(d.workspace.cliEnv()), d.directory.env()...)
	return nil
}

func (d *demoRun) cleanUp() error {
	var errs []error
	if d.directory != nil {
		errs = append(errs, d.directory.close())
	}
	if d.stack != nil {
		errs = append(errs, d.stack.Close())
	}
	if d.workspace != nil {
		errs = append(errs, d.workspace.close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	return nil
}
