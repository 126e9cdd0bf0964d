package architecture_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// maxHops is how many calls there may be from an entrance to the act.
const maxHops = 8

// step is one line of a walk in ARCHITECTURE.md.
type step struct{ file, function string }

var stepLine = regexp.MustCompile("^[0-9]+\\. `([^`]+\\.go)` `([^`]+)`:")

// TestWalks follows the walks of ARCHITECTURE.md in the code: each function exists in its
// file and calls the next one.
func TestWalks(t *testing.T) {
	t.Parallel()
	walks := readWalks(t)
	if len(walks) != 6 {
		t.Fatalf("%d walks, want 6", len(walks))
	}
	for name, steps := range walks {
		total := 0
		for i, s := range steps {
			decl := function(t, s)
			if decl == nil {
				t.Errorf("%s: %s has no function %s", name, s.file, s.function)
				continue
			}
			if i+1 == len(steps) {
				break
			}
			n := hops(decl, bare(steps[i+1].function))
			if n == 0 {
				t.Errorf("%s: %s does not call %s", name, s.function, steps[i+1].function)
			}
			total += n
		}
		t.Logf("%s: %d hops", name, total)
		if total > maxHops {
			t.Errorf("%s: %d hops, want at most %d", name, total, maxHops)
		}
	}
}

// TestHops counts known forms of a call.
func TestHops(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		`target()`:           1,
		`f := x.target; f()`: 1,
		`for range tries(&err) { err = x.target() }`:          1,
		`func() { defer done(); x.target() }()`:               2,
		`x.in(func() error { return x.target() })`:            3,
		`x.in(func() { x.in(func() { x.target() }) })`:        5,
		`x.in(func() { x.target() }); x.target()`:             1,
		`other("target")`:                                     0,
		`run := func() { x.target() }; run()`:                 2,
		`g.Go(func() error { return func() { target() }() })`: 4,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "", "package p; func f() { "+body+" }", parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		decl, ok := file.Decls[0].(*ast.FuncDecl)
		if got := hops(decl, "target"); !ok || got != want {
			t.Errorf("%s: %d hops, want %d", body, got, want)
		}
	}
}

func readWalks(t *testing.T) map[string][]step {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	walks, title := map[string][]step{}, ""
	for line := range strings.Lines(string(text)) {
		if heading, ok := strings.CutPrefix(line, "### "); ok {
			title = strings.TrimSpace(heading)
		}
		if m := stepLine.FindStringSubmatch(line); m != nil {
			walks[title] = append(walks[title], step{m[1], m[2]})
		}
	}
	return walks
}

func bare(function string) string { return function[strings.LastIndex(function, ".")+1:] }

// function finds the declaration of a step; nil when the file has none.
func function(t *testing.T, s step) *ast.FuncDecl {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, s.file), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		decl, ok := d.(*ast.FuncDecl)
		if ok && decl.Name.Name == bare(s.function) && receiver(decl)+bare(s.function) == s.function {
			return decl
		}
	}
	return nil
}

// receiver is the type of a method's receiver and a dot; empty for a function.
func receiver(decl *ast.FuncDecl) string {
	if decl.Recv == nil {
		return ""
	}
	kind := decl.Recv.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	if name, ok := kind.(*ast.Ident); ok {
		return name.Name + "."
	}
	return "?."
}

// hops is the smallest number of calls from a function to the named one; 0 when it does
// not call it. A function literal around the call is one more function: one more hop when
// it is called where it is written or through a variable, two when it is an argument,
// because the function that gets it is called first.
func hops(decl *ast.FuncDecl, name string) int {
	least := 0
	var stack []ast.Node
	ast.Inspect(decl.Body, func(n ast.Node) bool {
		if n == nil {
			stack = stack[:len(stack)-1]
			return true
		}
		if id, ok := n.(*ast.Ident); ok && id.Name == name {
			if found := 1 + literalHops(stack); least == 0 || found < least {
				least = found
			}
		}
		stack = append(stack, n)
		return true
	})
	return least
}

// literalHops counts the hops for the function literals of a path from a function's body
// to a node.
func literalHops(path []ast.Node) (count int) {
	for i, n := range path {
		if _, ok := n.(*ast.FuncLit); !ok {
			continue
		}
		count++
		if call, ok := path[i-1].(*ast.CallExpr); ok && call.Fun != n {
			count++
		}
	}
	return count
}
