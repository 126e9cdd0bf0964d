package architecture_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The limits of sizes. Functions of tests have none: a list of cases is one function.
const (
	maxFileLines     = 350
	maxTestFileLines = 500
	maxFunctionLines = 60
	maxMethods       = 7 // That an interface declares beside those that it embeds.
)

func TestSizes(t *testing.T) {
	t.Parallel()
	files := 0
	walkGo(t, func(path string) {
		files++
		checkSizes(t, path)
	})
	if files < 300 {
		t.Errorf("only %d files were checked", files)
	}
}

// walkGo visits each Go file of the repository.
func walkGo(t *testing.T, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".." && path != root:
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		visit(path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkSizes(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution|parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	if ast.IsGenerated(file) {
		return
	}
	isTest, limit := strings.HasSuffix(path, "_test.go"), maxFileLines
	if isTest {
		limit = maxTestFileLines
	}
	if lines := bytes.Count(text, []byte("\n")); lines > limit {
		t.Errorf("%s has %d lines; at most %d", path, lines, limit)
	}
	if isTest {
		return
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if lines := set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1; lines > maxFunctionLines {
				t.Errorf("%s: %s has %d lines; at most %d", path, n.Name.Name, lines, maxFunctionLines)
			}
		case *ast.InterfaceType:
			methods := 0
			for _, field := range n.Methods.List {
				methods += len(field.Names)
			}
			if methods > maxMethods {
				t.Errorf("%s: an interface declares %d methods; at most %d", set.Position(n.Pos()), methods, maxMethods)
			}
		}
		return true
	})
}
