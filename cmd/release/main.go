// Command release does for releases what goreleaser does not: it writes an
// archive's bill of materials, and looks at all that was made before anybody gets
// it. Nobody but goreleaser ("sbom", see .goreleaser.yml) and tools/release-check.sh
// ("check") has to call it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
)

const usage = "release sbom -version V -time T -out FILE ARCHIVE | release check [-all] DIST"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("usage: " + usage)
	}
	switch args[0] {
	case "sbom":
		return runSBOM(args[1:])
	case "check":
		return runCheck(args[1:])
	}
	return fmt.Errorf("there is no %q; usage: %s", args[0], usage)
}

func runSBOM(args []string) error {
	var o options
	flags := flag.NewFlagSet("sbom", flag.ContinueOnError)
	flags.StringVar(&o.version, "version", "", "the release's `version`, without v")
	flags.StringVar(&o.source, "source", ".", "the repository's `folder`")
	out := flags.String("out", "", "the `file` to write")
	at := flags.String("time", "", "the commit's time, as RFC 3339 has it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	when, err := time.Parse(time.RFC3339, *at)
	if err != nil {
		return fmt.Errorf("-time: %w", err)
	}
	if o.version == "" || *out == "" || flags.NArg() != 1 {
		return errors.New("usage: " + usage)
	}
	o.time = when.UTC()
	document, err := describe(flags.Arg(0), o)
	if err != nil {
		return err
	}
	return os.WriteFile(*out, document, 0o644) //nolint:gosec // What everybody may download, everybody may read.
}

func runCheck(args []string) error {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	all := flags.Bool("all", false, "every platform has to be there")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("usage: " + usage)
	}
	c := &checker{dist: flags.Arg(0), all: *all, out: os.Stdout}
	if found := c.check(); len(found) > 0 {
		return fmt.Errorf("this is no release to publish:\n%w", errors.Join(found...))
	}
	return nil
}
