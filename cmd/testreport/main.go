// Command testreport reads go test -json from its input for CI. It prints what go test
// prints, then counts, skipped tests that no list allows, and the coverage by package.
//
//	go test -json -coverprofile=cover.out ./... | testreport -skips tools/allowed-skips.txt -profile cover.out
//
// It ends with 1 when a test failed or was skipped without permission.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testreport"
)

const module = "github.com/healthcare-platform/terraform-provider-healthcare"

func main() {
	skips := flag.String("skips", "", "file with the tests that may be skipped")
	profile := flag.String("profile", "", "coverage profile to print by package")
	flag.Parse()
	if err := run(*skips, *profile); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
}

func run(skips, profile string) error {
	report, err := testreport.Read(os.Stdin, os.Stdout, module)
	if err != nil {
		return err
	}
	if profile != "" {
		if err := printCoverage(profile); err != nil {
			return err
		}
	}
	list := ""
	if skips != "" {
		text, err := os.ReadFile(skips) //nolint:gosec // The caller names it.
		if err != nil {
			return err
		}
		list = string(text)
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", report.Passed, report.Failed, len(report.Skipped))
	unexpected := report.Unexpected(list)
	switch {
	case report.Failed > 0:
		return fmt.Errorf("%d tests or packages failed", report.Failed)
	case report.Passed == 0:
		return fmt.Errorf("no test ran")
	case len(unexpected) > 0:
		return fmt.Errorf("skipped, and not in %q:\n%s", skips, strings.Join(unexpected, "\n"))
	}
	return nil
}

func printCoverage(profile string) error {
	in, err := os.Open(profile) //nolint:gosec // The caller names it.
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	packages, err := testreport.ReadCoverage(in, module)
	if err != nil {
		return err
	}
	var all testreport.Coverage
	fmt.Println("coverage of statements by the tests of all packages, processes that tests start not included:")
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		c := packages[name]
		all.Run, all.All = all.Run+c.Run, all.All+c.All
		fmt.Printf("  %5.1f%%  %s\n", c.Percent(), name)
	}
	fmt.Printf("  %5.1f%%  all\n", all.Percent())
	return nil
}
