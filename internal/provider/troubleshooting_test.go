package provider_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const troubleshooting = "../../templates/guides/troubleshooting.md.tmpl"

// TestTroubleshooting_HasEachDiagnostic compares the guide with the code: each summary
// of a diagnostic has a heading, each heading is a summary, and each quoted message is in
// the code.
func TestTroubleshooting_HasEachDiagnostic(t *testing.T) {
	text, err := os.ReadFile(troubleshooting)
	if err != nil {
		t.Fatal(err)
	}
	summaries := summariesOf(t, ".")
	if len(summaries) < 40 {
		t.Errorf("only %d summaries were found: %q", len(summaries), slices.Sorted(maps.Keys(summaries)))
	}
	quoted := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^### (.*)$`).FindAllStringSubmatch(string(text), -1) {
		for _, quote := range regexp.MustCompile(`"([^"]*)"`).FindAllStringSubmatch(heading[1], -1) {
			if !summaries[quote[1]] {
				t.Errorf("the guide has a heading for %q, which the provider does not say", quote[1])
			}
			if quoted[quote[1]] {
				t.Errorf("the guide has two headings for %q", quote[1])
			}
			quoted[quote[1]] = true
		}
		if !strings.HasPrefix(heading[1], `"`) {
			t.Errorf("the heading %s quotes no summary", heading[1])
		}
	}
	for _, summary := range slices.Sorted(maps.Keys(summaries)) {
		if !quoted[summary] {
			t.Errorf("the guide has no heading for %q", summary)
		}
	}

	sources := allStringLiterals(t, "..")
	messages := regexp.MustCompile("(?m)^\\| `([^`]*)`").FindAllStringSubmatch(string(text), -1)
	for _, message := range messages {
		for part := range strings.SplitSeq(message[1], "...") {
			if part = strings.TrimSpace(part); !strings.Contains(sources, part) {
				t.Errorf("the guide explains %q, which no code returns", part)
			}
		}
	}
	if len(messages) < 20 {
		t.Errorf("%d messages are explained", len(messages))
	}
}

// summariesOf returns the summaries of all diagnostics in the sources of a folder. A form
// that it does not know fails the test.
func summariesOf(t *testing.T, folder string) map[string]bool {
	t.Helper()
	s := &summaryCollector{t: t, files: token.NewFileSet(), all: map[string]bool{}, words: map[string][]string{}}
	for _, visit := range []func(ast.Node) bool{s.collectWords, s.collectSummaries} {
		parseFiles(t, s.files, folder, func(file *ast.File) { ast.Inspect(file, visit) })
	}
	return s.all
}

// parseFiles parses the sources in and below a folder, except tests.
func parseFiles(t *testing.T, files *token.FileSet, folder string, visit func(*ast.File)) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err == nil {
			visit(file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

type summaryCollector struct {
	t     *testing.T
	files *token.FileSet
	all   map[string]bool
	words map[string][]string // The values of a variable in a summary, by its name.
}

// collectWords collects the values of the variables in summaries.
func (s *summaryCollector) collectWords(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		switch name := exprName(n.Fun); {
		case name == "readGroup" && len(n.Args) == 5: // A group of settings.
			s.addWord("group", n.Args[1])
		case name == "addRunDiagnostics" && len(n.Args) == 5:
			s.addWord("operation", n.Args[2])
		}
	case *ast.CompositeLit:
		switch exprName(n.Type) {
		case "fieldValidator", "mapValidator":
			s.addWord("r.field", n.Elts[0])
		case "tenantAction":
			if tried := literalField(n, "operation"); tried != nil {
				s.addWord("a.operation", tried)
			}
		}
	}
	return true
}

func (s *summaryCollector) addWord(variable string, value ast.Expr) {
	if text, ok := stringLiteral(value); ok {
		s.words[variable] = append(s.words[variable], text)
	} else {
		s.reportUnknown(value)
	}
}

// collectSummaries collects the summaries.
func (s *summaryCollector) collectSummaries(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncDecl: // Its summaries come from the diagnostic literals, which are collected below.
		return n.Name.Name != "add" || n.Recv == nil || exprName(n.Recv.List[0].Type) != "diagnostic"
	case *ast.CallExpr:
		method, ok := n.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		at, ok := map[string]int{"AddError": 0, "AddWarning": 0, "AddAttributeError": 1, "AddAttributeWarning": 1,
			"NewErrorDiagnostic": 0, "NewWarningDiagnostic": 0, "NewAttributeErrorDiagnostic": 1, "NewAttributeWarningDiagnostic": 1}[method.Sel.Name]
		if ok && exprName(n.Args[at]) != "d.Summary" { // That is another diagnostic's.
			s.add("", n.Args[at], "")
		}
	case *ast.CompositeLit:
		if exprName(n.Type) == "diagnostic" {
			suffix := " tenant"
			if object, ok := stringLiteral(literalField(n, "object")); ok {
				suffix = " " + object
			}
			if literalField(n, "name") == nil {
				suffix += "s"
			}
			s.add("Could not ", literalField(n, "operation"), suffix)
		}
	}
	return true
}

func (s *summaryCollector) add(prefix string, value ast.Expr, suffix string) {
	if text, ok := stringLiteral(value); ok {
		s.all[prefix+text+suffix] = true
		return
	}
	variable := value
	if sum, ok := value.(*ast.BinaryExpr); ok && sum.Op == token.ADD {
		text, ok := stringLiteral(sum.X)
		if !ok {
			s.reportUnknown(value)
			return
		}
		prefix, variable = prefix+text, sum.Y
	}
	words := s.words[exprName(variable)]
	if len(words) == 0 {
		s.reportUnknown(value)
	}
	for _, word := range words {
		s.all[prefix+word+suffix] = true
	}
}

func (s *summaryCollector) reportUnknown(value ast.Expr) {
	if value == nil {
		s.t.Error("a diagnostic has no operation")
		return
	}
	s.t.Errorf("%s: this test cannot determine the summary", s.files.Position(value.Pos()))
}

// stringLiteral returns the text of a string literal.
func stringLiteral(value ast.Expr) (string, bool) {
	text, ok := value.(*ast.BasicLit)
	if !ok || text.Kind != token.STRING {
		return "", false
	}
	plain, err := strconv.Unquote(text.Value)
	return plain, err == nil
}

// exprName returns the name in an expression, with its selectors.
func exprName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return exprName(e.X) + "." + e.Sel.Name
	case *ast.CallExpr:
		return exprName(e.Fun)
	case *ast.IndexExpr:
		return exprName(e.X)
	}
	return ""
}

// literalField returns the value of a composite literal's field, nil if it is not set.
func literalField(of *ast.CompositeLit, name string) ast.Expr {
	for _, element := range of.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok && exprName(pair.Key) == name {
			return pair.Value
		}
	}
	return nil
}

// allStringLiterals returns all string literals below a folder, joined in source order.
func allStringLiterals(t *testing.T, folder string) string {
	t.Helper()
	var joined strings.Builder
	parseFiles(t, token.NewFileSet(), folder, func(file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok {
				text, _ := stringLiteral(e)
				joined.WriteString(text)
			}
			return true
		})
	})
	return joined.String()
}
