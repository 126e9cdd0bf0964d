package architecture_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	// measured matches the names of quantities that have a unit, and unit the names that say which.
	measured = regexp.MustCompile(`(?:^|_)(?:duration|took|elapsed|latency|timeout|interval|delay|wait|waits|pause|age|ttl|size|length|balance|fee|fees|spend)(?:_|$)`)
	unit     = regexp.MustCompile(`_(?:ms|seconds|bytes|stroops|ledgers|at)$`)
)

// logFaults are what is wrong with the fields of logs in a file.
func logFaults(t *testing.T, path string, source any) (faults []string, fields int) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := selector.X.(*ast.Ident); !ok || pkg.Name != "slog" || len(call.Args) == 0 {
			return true
		}
		fault := func(text string) { faults = append(faults, set.Position(call.Pos()).String()+": "+text) }
		if slices.Contains([]string{"Duration", "DurationValue"}, selector.Sel.Name) {
			fault("slog." + selector.Sel.Name + " has no unit; use telemetry.Took, or a number whose name ends in _ms or _seconds")
		}
		literal, ok := call.Args[0].(*ast.BasicLit)
		if !ok || !slices.Contains([]string{"String", "Int", "Int64", "Uint64", "Float64", "Bool", "Time", "Any", "Duration"}, selector.Sel.Name) {
			return true
		}
		name, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		fields++
		switch {
		case !snakeCase.MatchString(name):
			fault("the field " + name + " is not in snake case")
		case measured.MatchString(name) && !unit.MatchString(name):
			fault("the field " + name + " has no unit; let its name end in one of " + unit.String())
		}
		return true
	})
	return faults, fields
}

// TestLogFields: fields of logs have names in snake case, and quantities have a unit in the name.
func TestLogFields(t *testing.T) {
	t.Parallel()
	fields := 0
	walkGo(t, func(path string) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		faults, n := logFaults(t, path, nil)
		fields += n
		for _, fault := range faults {
			t.Error(fault)
		}
	})
	if fields < 80 {
		t.Errorf("only %d fields were checked", fields)
	}
}

func TestLogFaults(t *testing.T) {
	t.Parallel()
	for field, bad := range map[string]bool{
		`slog.Duration("took_ms", d)`: true, `slog.String("maxAttempts", s)`: true, `slog.Int("size", n)`: true, `slog.Any("fee", n)`: true, `slog.Int64("pool_wait", n)`: true,
		`slog.Int64("size_bytes", n)`: false, `slog.Float64("took_ms", n)`: false, `slog.String("message", s)`: false, `slog.Int("workers", n)`: false, `slog.Int64("fee_stroops", n)`: false,
	} {
		faults, fields := logFaults(t, "x.go", "package x\n\nfunc f() { g("+field+") }\n")
		if fields != 1 || len(faults) > 0 != bad {
			t.Errorf("%s: %q", field, faults)
		}
	}
}
