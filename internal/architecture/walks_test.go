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
type step struct {
	file, function string
	through        int // Functions between the line before and this one.
}

var (
	stepLine = regexp.MustCompile("^[0-9]+\\. `([^`]+\\.go)` `([^`]+)`:(.*)")
	through  = regexp.MustCompile("through (?:`[^`]+`(?: and )?)+")
)

// TestWalks follows the walks of ARCHITECTURE.md: each function exists in its file and
// calls the next one by name.
func TestWalks(t *testing.T) {
	t.Parallel()
	walks := readWalks(t)
	if len(walks) != 4 {
		t.Fatalf("%d walks, want 4", len(walks))
	}
	for name, steps := range walks {
		hops := len(steps) - 1
		for _, s := range steps {
			hops += s.through
		}
		if hops < 2 || hops > maxHops {
			t.Errorf("%s: %d hops, want at most %d", name, hops, maxHops)
		}
		for i, s := range steps {
			decl := function(t, s)
			if decl == nil {
				t.Errorf("%s: %s has no function %s", name, s.file, s.function)
				continue
			}
			if i+1 < len(steps) && !mentions(decl, bare(steps[i+1].function)) {
				t.Errorf("%s: %s does not call %s", name, s.function, steps[i+1].function)
			}
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
			walks[title] = append(walks[title], step{m[1], m[2], strings.Count(through.FindString(m[3]), "`") / 2})
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

// mentions reports whether a function uses a name: calls it, or hands it over to be called.
func mentions(decl *ast.FuncDecl, name string) bool {
	found := false
	ast.Inspect(decl.Body, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == name {
			found = true
		}
		return !found
	})
	return found
}
