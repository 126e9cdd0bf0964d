// Package testreport reads the output of go test -json for CI: it prints what go test
// prints, and rejects tests that were skipped although no list allows it.
package testreport

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
)

// Report is what a run of go test did.
type Report struct {
	Passed, Failed int
	// Skipped are the tests that were skipped, as "package TestName", in the order of
	// their end. A package is named without the module.
	Skipped []string
}

// event is a line of go test -json (go doc test2json).
type event struct {
	Action, Package, Test, Output string
}

// summary are the lines that go test prints without -v: the result of each package, and
// of each test that failed.
var summary = regexp.MustCompile(`^(ok|FAIL|---|\?|panic:|exit status)`)

// Read reads the output and prints what go test without -v prints: the result of each
// package, and all output of tests that failed. Lines that are not JSON, such as those of
// go vet, are printed as they are.
func Read(in io.Reader, out io.Writer, module string) (Report, error) {
	var (
		report Report
		output = map[string][]string{} // By package and test, until it ends.
		text   printed
	)
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if err := text.print(out); err != nil {
			return report, err
		}
		var e event
		if !strings.HasPrefix(lines.Text(), "{") || json.Unmarshal(lines.Bytes(), &e) != nil {
			_, _ = text.WriteString(lines.Text() + "\n")
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "output", "build-output":
			if e.Test == "" && summary.MatchString(e.Output) || e.Action == "build-output" {
				_, _ = text.WriteString(e.Output)
			} else {
				output[key] = append(output[key], e.Output)
			}
		case "skip":
			if e.Test != "" {
				report.Skipped = append(report.Skipped, strings.TrimPrefix(e.Package, module+"/")+" "+e.Test)
			}
		case "fail":
			_, _ = text.WriteString(strings.Join(output[key], ""))
		}
		if e.Action == "pass" || e.Action == "fail" || e.Action == "skip" {
			delete(output, key)
			report.count(e)
		}
	}
	return report, errors.Join(text.print(out), lines.Err())
}

// printed is text that is about to be printed.
type printed struct{ strings.Builder }

func (p *printed) print(out io.Writer) error {
	defer p.Reset()
	_, err := io.WriteString(out, p.String())
	return err
}

func (r *Report) count(e event) {
	switch {
	case e.Test == "" && e.Action == "fail": // A package that does not compile has no test.
		r.Failed++
	case e.Test == "":
	case e.Action == "pass":
		r.Passed++
	case e.Action == "fail":
		r.Failed++
	}
}

// Unexpected returns the skipped tests that the list does not allow. A line of the list
// is "package TestName", which allows the subtests, too; "#" begins a comment.
func (r Report) Unexpected(list string) (unexpected []string) {
	var allowed []string
	for line := range strings.Lines(list) {
		if line, _, _ = strings.Cut(line, "#"); strings.TrimSpace(line) != "" {
			allowed = append(allowed, strings.Join(strings.Fields(line), " "))
		}
	}
	for _, skipped := range r.Skipped {
		pkg, name, _ := strings.Cut(skipped, " ")
		parent, _, _ := strings.Cut(name, "/")
		if !slices.Contains(allowed, skipped) && !slices.Contains(allowed, pkg+" "+parent) {
			unexpected = append(unexpected, skipped)
		}
	}
	return unexpected
}
