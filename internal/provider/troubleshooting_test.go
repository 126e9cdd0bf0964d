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

// TestTroubleshooting_HasEachDiagnostic holds the guide to the code: each summary that
// the provider can give has a heading, each heading is one, and what it quotes of a
// message is in the code.
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

	said := literals(t, "..")
	messages := regexp.MustCompile("(?m)^\\| `([^`]*)`").FindAllStringSubmatch(string(text), -1)
	for _, message := range messages {
		for part := range strings.SplitSeq(message[1], "...") {
			if part = strings.TrimSpace(part); !strings.Contains(said, part) {
				t.Errorf("the guide explains %q, which nobody says", part)
			}
		}
	}
	if len(messages) < 20 {
		t.Errorf("%d messages are explained", len(messages))
	}
}

// summariesOf gives the summaries of all diagnostics that the sources in a folder can
// give. A form that it does not know fails the test.
func summariesOf(t *testing.T, folder string) map[string]bool {
	t.Helper()
	s := &summaries{t: t, files: token.NewFileSet(), all: map[string]bool{}, words: map[string][]string{}}
	for _, look := range []func(ast.Node) bool{s.vocabulary, s.diagnostics} {
		each(t, s.files, folder, func(file *ast.File) { ast.Inspect(file, look) })
	}
	return s.all
}

// each parses the sources in and below a folder, tests excepted.
func each(t *testing.T, files *token.FileSet, folder string, do func(*ast.File)) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err == nil {
			do(file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

type summaries struct {
	t     *testing.T
	files *token.FileSet
	all   map[string]bool
	words map[string][]string // What a variable in a summary can be, by its spelling.
}

// vocabulary collects what the variables in summaries stand for.
func (s *summaries) vocabulary(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		switch name := spelling(n.Fun); {
		case name == "read" && len(n.Args) == 5: // A group of settings.
			s.word("group", n.Args[1])
		case name == "ended" && len(n.Args) == 5:
			s.word("tried", n.Args[2])
		}
	case *ast.CompositeLit:
		switch spelling(n.Type) {
		case "rule":
			s.word("r.field", n.Elts[0])
		case "tenantAction":
			if tried := field(n, "tried"); tried != nil {
				s.word("a.tried", tried)
			}
		}
	}
	return true
}

func (s *summaries) word(variable string, value ast.Expr) {
	if text, ok := literal(value); ok {
		s.words[variable] = append(s.words[variable], text)
	} else {
		s.unknown(value)
	}
}

// diagnostics collects the summaries.
func (s *summaries) diagnostics(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncDecl: // It makes its summary of what a report is given, and is looked at there.
		return n.Name.Name != "add" || n.Recv == nil || spelling(n.Recv.List[0].Type) != "report"
	case *ast.CallExpr:
		method, ok := n.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		at, ok := map[string]int{"AddError": 0, "AddWarning": 0, "AddAttributeError": 1, "AddAttributeWarning": 1,
			"NewErrorDiagnostic": 0, "NewWarningDiagnostic": 0, "NewAttributeErrorDiagnostic": 1, "NewAttributeWarningDiagnostic": 1}[method.Sel.Name]
		if ok && spelling(n.Args[at]) != "d.Summary" { // That is another diagnostic's.
			s.add("", n.Args[at], "")
		}
	case *ast.CompositeLit:
		if spelling(n.Type) == "report" {
			end := " tenant"
			if field(n, "name") == nil {
				end += "s"
			}
			s.add("Could not ", field(n, "tried"), end)
		}
	}
	return true
}

func (s *summaries) add(before string, value ast.Expr, after string) {
	if text, ok := literal(value); ok {
		s.all[before+text+after] = true
		return
	}
	variable := value
	if sum, ok := value.(*ast.BinaryExpr); ok && sum.Op == token.ADD {
		text, ok := literal(sum.X)
		if !ok {
			s.unknown(value)
			return
		}
		before, variable = before+text, sum.Y
	}
	words := s.words[spelling(variable)]
	if len(words) == 0 {
		s.unknown(value)
	}
	for _, word := range words {
		s.all[before+word+after] = true
	}
}

func (s *summaries) unknown(value ast.Expr) {
	if value == nil {
		s.t.Error("a report does not say what was tried")
		return
	}
	s.t.Errorf("%s: this test cannot tell what the summary is", s.files.Position(value.Pos()))
}

// literal gives the text of a string literal.
func literal(value ast.Expr) (string, bool) {
	text, ok := value.(*ast.BasicLit)
	if !ok || text.Kind != token.STRING {
		return "", false
	}
	plain, err := strconv.Unquote(text.Value)
	return plain, err == nil
}

// spelling gives a name, or one behind another.
func spelling(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return spelling(e.X) + "." + e.Sel.Name
	case *ast.CallExpr:
		return spelling(e.Fun)
	case *ast.IndexExpr:
		return spelling(e.X)
	}
	return ""
}

// field gives the value of a composite literal's field, nil where there is none.
func field(of *ast.CompositeLit, name string) ast.Expr {
	for _, element := range of.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok && spelling(pair.Key) == name {
			return pair.Value
		}
	}
	return nil
}

// literals gives all that the sources below a folder can say, in the order of the sources.
func literals(t *testing.T, folder string) string {
	t.Helper()
	var all strings.Builder
	each(t, token.NewFileSet(), folder, func(file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok {
				text, _ := literal(e)
				all.WriteString(text)
			}
			return true
		})
	})
	return all.String()
}
