package testreport

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
)

// Coverage is how many statements of a package were run.
type Coverage struct{ Run, All int }

// Percent is the share of statements that were run, 0 to 100.
func (c Coverage) Percent() float64 { return 100 * float64(c.Run) / float64(max(c.All, 1)) }

// ReadCoverage reads a profile of go test -coverprofile, of one or several packages' tests,
// and returns the coverage by package, without the module in its name. A statement counts
// once, however many tests ran it.
func ReadCoverage(in io.Reader, module string) (map[string]Coverage, error) {
	type block struct {
		statements int
		run        bool
	}
	blocks := map[string]block{}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		// name.go:line.column,line.column statements count
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 {
			continue // The mode.
		}
		statements, err := strconv.Atoi(fields[1])
		if err != nil {
			return nil, fmt.Errorf("read coverage profile: %q: %w", lines.Text(), err)
		}
		b := blocks[fields[0]]
		blocks[fields[0]] = block{statements, b.run || fields[2] != "0"}
	}
	packages := map[string]Coverage{}
	for at, b := range blocks {
		file, _, _ := strings.Cut(at, ":")
		name := strings.TrimPrefix(path.Dir(file), module+"/")
		c := packages[name]
		if c.All += b.statements; b.run {
			c.Run += b.statements
		}
		packages[name] = c
	}
	return packages, lines.Err()
}
