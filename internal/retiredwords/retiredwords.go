// Package retiredwords finds words that this repository has replaced by standard
// terms. tools/retired-words.txt lists them with what to write instead, and the
// package's test checks every file of the repository.
//
// Prose is checked in comments, string literals, documents, SQL and scripts; Go
// identifiers are checked word by word through go/ast, so that knockTwice is
// found and knockout is not.
package retiredwords

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Kind says where a word is looked for.
type Kind string

// The kinds of words.
const (
	Prose Kind = "prose" // In comments, string literals and documents.
	Ident Kind = "ident" // Inside Go identifiers.
)

// Word is one retired word or phrase.
type Word struct {
	Kind    Kind
	Text    string // Lower case; a phrase has one space between its words.
	Instead string // What to write.
	match   *regexp.Regexp
}

// Finding is one place where a retired word stands.
type Finding struct {
	File string
	Line int // From 1.
	Word Word
}

func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s %q is retired; write: %s", f.File, f.Line, f.Word.Kind, f.Word.Text, f.Word.Instead)
}

// Parse reads a word list: kind, word and replacement on each line, separated by
// tabs. Empty lines and lines that start with # are comments.
func Parse(r io.Reader) ([]Word, error) {
	var words []Word
	scanner := bufio.NewScanner(r)
	for n := 1; scanner.Scan(); n++ {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 3 || fields[1] == "" || fields[2] == "" {
			return nil, fmt.Errorf("line %d: want kind, word and replacement, separated by tabs", n)
		}
		w := Word{Kind: Kind(fields[0]), Text: strings.ToLower(fields[1]), Instead: fields[2]}
		switch w.Kind {
		case Prose:
			// A phrase may be broken over two lines of a comment.
			w.match = regexp.MustCompile(`(?i)\b` + strings.ReplaceAll(regexp.QuoteMeta(w.Text), " ", `[\s/*#-]+`) + `\b`)
		case Ident:
		default:
			return nil, fmt.Errorf("line %d: kind %q is unknown; give prose or ident", n, fields[0])
		}
		words = append(words, w)
	}
	return words, scanner.Err()
}

// CheckText finds retired prose in a document.
func CheckText(words []Word, file string, content []byte) []Finding {
	return prose(words, file, 1, string(content))
}

// CheckGo finds retired prose in the comments and string literals of a Go file,
// and retired words in its identifiers. Field names in literals of another package's
// type are not checked: ours are found where they are declared, and a library's stay.
func CheckGo(words []Word, file string, content []byte) ([]Finding, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, file, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	line := func(p token.Pos) int { return fset.Position(p).Line }
	var found []Finding
	for _, group := range tree.Comments {
		first := line(group.Pos())
		var text strings.Builder
		for _, c := range group.List {
			text.WriteString(c.Text + "\n")
		}
		found = append(found, prose(words, file, first, text.String())...)
	}
	foreign := map[ast.Expr]bool{} // Field names of other packages.
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			if _, ok := n.Type.(*ast.SelectorExpr); ok {
				for _, e := range n.Elts {
					if field, ok := e.(*ast.KeyValueExpr); ok {
						foreign[field.Key] = true
					}
				}
			}
		case *ast.ImportSpec:
			return false
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				found = append(found, prose(words, file, line(n.Pos()), n.Value)...)
			}
		case *ast.Ident:
			if foreign[n] {
				return true
			}
			parts := split(n.Name)
			for _, w := range words {
				if w.Kind == Ident && slices.Contains(parts, w.Text) {
					found = append(found, Finding{file, line(n.Pos()), w})
				}
			}
		}
		return true
	})
	return found, nil
}

func prose(words []Word, file string, first int, text string) (found []Finding) {
	for _, w := range words {
		if w.Kind != Prose {
			continue
		}
		for _, at := range w.match.FindAllStringIndex(text, -1) {
			found = append(found, Finding{file, first + strings.Count(text[:at[0]], "\n"), w})
		}
	}
	return found
}

// split gives the words of an identifier in lower case: HTTPServerID has http,
// server and id.
func split(name string) (parts []string) {
	runes := []rune(name)
	start := 0
	for i := 1; i <= len(runes); i++ {
		boundary := i == len(runes) || runes[i] == '_' || runes[i-1] == '_' ||
			unicode.IsUpper(runes[i]) && !unicode.IsUpper(runes[i-1]) ||
			i+1 < len(runes) && unicode.IsUpper(runes[i]) && unicode.IsLower(runes[i+1])
		if boundary {
			if part := strings.Trim(string(runes[start:i]), "_"); part != "" {
				parts = append(parts, strings.ToLower(part))
			}
			start = i
		}
	}
	return parts
}
