package blueprint

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// Problem is one thing that is wrong with a file of a blueprint.
type Problem struct {
	File    string
	Line    int // From 1; 0: the file as a whole.
	Message string
}

func (p Problem) String() string { return p.Place() + ": " + p.Message }

// Place is "FILE:LINE", or the file for a problem of all of it.
func (p Problem) Place() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// ProblemAt is the problem at what Place returned.
func ProblemAt(place, message string) Problem {
	if at := strings.LastIndexByte(place, ':'); at > 0 {
		if line, err := strconv.Atoi(place[at+1:]); err == nil && line > 0 {
			return Problem{place[:at], line, message}
		}
	}
	return Problem{File: place, Message: message}
}

// Problems are all that was found, by file and line. Parse and ReadTar return them in an
// *errs.Error of KindInvalid.
type Problems []Problem //nolint:errname // These are what the product calls problems.

// maxPrinted is how many problems Error prints.
const maxPrinted = 20

// Error prints one problem on each line, at most 20.
func (p Problems) Error() string {
	lines := make([]string, 0, min(len(p), maxPrinted+1))
	for i, problem := range p {
		if i == maxPrinted {
			lines = append(lines, fmt.Sprintf("and %d more", len(p)-i))
			break
		}
		lines = append(lines, problem.String())
	}
	return strings.Join(lines, "\n")
}

// maxProblems is how many problems are collected. Nobody reads more.
const maxProblems = 1000

// collector collects the problems of a blueprint.
type collector struct{ problems Problems }

func (c *collector) add(file string, line int, format string, args ...any) {
	if len(c.problems) < maxProblems {
		if strings.ContainsFunc(file, unicode.IsControl) || !utf8.ValidString(file) {
			file = strconv.Quote(file)
		}
		c.problems = append(c.problems, Problem{file, line, fmt.Sprintf(format, args...)})
	}
}

// AsError returns the problems as an *errs.Error of KindInvalid.
func (p Problems) AsError(op string) error {
	return errs.Wrap(p, errs.KindInvalid, op, "%s", p.Error())
}

// err returns what was collected, nil without problems.
func (c *collector) err(op string) error {
	if len(c.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(c.problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return c.problems.AsError(op)
}
