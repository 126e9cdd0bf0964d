package blueprint

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits of blueprint.yaml, which the library does not have: its time grows with the square
// of the lines (four minutes for 250,000). An ordinary file has a nesting of four and 100
// lines.
const (
	maxConfigBytes = 256 << 10
	maxConfigLines = 5000
	maxNesting     = 16
	maxIndent      = 64
)

// knownKeys are the keys of each mapping in blueprint.yaml, by its path.
var knownKeys = map[string][]string{
	"":                {"apiVersion", "contract", "extends", "extensions", "grants", "ignore", "kind", "mail", "name", "privileges", "roles", "steps", "variables"},
	"roles[]":         {"description", "name"},
	"variables.*":     {"default", "description", "pattern"},
	"privileges":      {"append_only", "read_only"},
	"grants[]":        {"read", "role", "write"},
	"mail":            {"locale", "product_name", "support"},
	"steps[]":         {"after", "database", "name", "undo", "webhook"},
	"steps[].webhook": {"deadline", "secret", "timeout", "url"},
	"steps[].undo":    {"deadline", "secret", "timeout", "url"},
}

// value is a value in blueprint.yaml.
type value struct {
	path string // For people: "steps[0].webhook".
	line int
	node ast.Node
}

// object is a mapping; document its problems.
type object struct {
	doc *document
	value
	fields map[string]value
}

// document reads the values of one YAML file.
type document struct {
	c    *collector
	file string
}

func (d *document) problem(v value, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if v.path != "" {
		text = v.path + " " + text
	}
	d.c.add(d.file, v.line, "%s", text)
}

// parse returns the mapping of the file.
func (d *document) parse(content []byte) (object, bool) {
	whole := value{line: 1}
	if len(content) > maxConfigBytes {
		d.problem(value{}, "has more than %d kB; shorten its texts", maxConfigBytes>>10)
		return object{}, false
	}
	if lines := bytes.Count(content, []byte("\n")) + bytes.Count(content, []byte("\r")); lines > maxConfigLines {
		d.problem(value{}, "has more than %d lines; write lists in brackets, [a, b]", maxConfigLines)
		return object{}, false
	}
	tokens := lexer.Tokenize(string(bytes.TrimPrefix(content, []byte("\ufeff"))))
	if line, fault := unusable(tokens); fault != "" {
		d.problem(value{line: line}, "%s", fault)
		return object{}, false
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		line, message := syntaxError(err)
		d.problem(value{line: line}, "is no YAML: %s; correct it, or write the value in quotes", message)
		return object{}, false
	}
	docs := slices.DeleteFunc(file.Docs, func(doc *ast.DocumentNode) bool { return doc.Body == nil })
	if len(docs) != 1 {
		d.problem(whole, "has %d documents; write one", len(docs))
		return object{}, false
	}
	whole.node = docs[0].Body
	return d.object(whole, "")
}

// unusable finds what a blueprint has no use for, and whose cost the library does not limit.
func unusable(tokens token.Tokens) (line int, fault string) {
	depth, dashes, last := 0, 0, 0
	for _, t := range tokens {
		first := t.Position.Line != last
		if first {
			dashes = 0
		}
		last = t.Position.Line
		switch t.Type { //nolint:exhaustive // The other tokens are usual.
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			return last, "has an anchor or alias (& or *), which a blueprint cannot have; write the value out, or in quotes"
		case token.TagType, token.DirectiveType, token.MappingKeyType:
			return last, "has a tag, directive or complex key (!, % or ?), which a blueprint cannot have; remove it, or write the value in quotes"
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.SequenceEntryType:
			dashes++
		}
		if depth > maxNesting || dashes > maxNesting || depth == 0 && first && t.Type != token.CommentType && t.Position.Column > maxIndent {
			return last, "is nested too deeply; a blueprint has a nesting of four"
		}
	}
	return 0, ""
}

func syntaxError(err error) (line int, message string) {
	var positioned interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if !errors.As(err, &positioned) {
		return 1, shorten(strings.ReplaceAll(err.Error(), "\n", " "))
	}
	if t := positioned.GetToken(); t != nil && t.Position != nil {
		line = t.Position.Line
	}
	return max(line, 1), strings.ReplaceAll(positioned.GetMessage(), "\t", `\t`)
}

// object reads a mapping with the known keys of a kind.
func (d *document) object(v value, kind string) (object, bool) {
	o, ok := d.mapping(v)
	if !ok {
		return o, false
	}
	known := knownKeys[kind]
	for _, key := range slices.Sorted(maps.Keys(o.fields)) {
		if !slices.Contains(known, key) {
			d.problem(value{line: o.fields[key].line}, "unknown key %q%s; known are %s", shorten(key), inside(v.path), strings.Join(known, ", "))
		}
	}
	return o, true
}

func inside(path string) string {
	if path == "" {
		return ""
	}
	return " in " + path
}

// mapping reads a mapping with any keys.
func (d *document) mapping(v value) (object, bool) {
	o := object{doc: d, value: v, fields: map[string]value{}}
	m, ok := v.node.(ast.MapNode)
	if !ok {
		d.problem(v, "is %s; write keys and values", kindOf(v.node))
		return o, false
	}
	for entries := m.MapRange(); entries.Next(); {
		key, line := entries.Key(), entries.Key().GetToken().Position.Line
		name := key.GetToken().Value
		if _, twice := o.fields[name]; twice {
			d.problem(value{line: line}, "the key %q%s is there twice, first in line %d; remove one", shorten(name), inside(v.path), o.fields[name].line)
			continue
		}
		path := name
		if v.path != "" {
			path = v.path + "." + name
		}
		o.fields[name] = value{shorten(path), line, entries.Value()}
	}
	return o, true
}

// list reads a list of at most so many values.
func (d *document) list(v value, most int) []value {
	s, ok := v.node.(*ast.SequenceNode)
	if !ok {
		d.problem(v, "is %s; write a list", kindOf(v.node))
		return nil
	}
	if len(s.Values) > most {
		d.problem(v, "has %d entries; at most %d are possible", len(s.Values), most)
		return nil
	}
	values := make([]value, len(s.Values))
	for i, node := range s.Values {
		values[i] = value{fmt.Sprintf("%s[%d]", v.path, i), node.GetToken().Position.Line, node}
	}
	return values
}

// text reads a text; a number or date without quotes is none.
func (d *document) text(v value) (string, bool) {
	switch n := v.node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		d.problem(v, "is %s; write a text, in quotes", kindOf(n))
	default:
		d.problem(v, "is %s; write a text", kindOf(n))
	}
	return "", false
}

// texts reads a list of texts, of which none may be there twice.
func (d *document) texts(v value, most int, check func(string) error) (all []string) {
	for _, item := range d.list(v, most) {
		text, ok := d.text(item)
		if !ok {
			continue
		}
		if err := check(text); err != nil {
			d.problem(item, "%v", err)
			continue
		}
		if slices.Contains(all, text) {
			d.problem(item, "%q is there twice; remove one", text)
			continue
		}
		all = append(all, text)
	}
	return all
}

// field reads a text of a mapping, which check refuses with fault and remedy. It returns the
// fallback where the key is missing.
func (o object) field(key, fallback string, check func(string) error) string {
	v, ok := o.fields[key]
	if !ok {
		return fallback
	}
	text, ok := o.doc.text(v)
	if !ok {
		return fallback
	}
	if err := check(text); err != nil {
		o.doc.problem(v, "%v", err)
		return fallback
	}
	return text
}

// require reports keys that are missing.
func (o object) require(keys ...string) {
	for _, key := range keys {
		if _, ok := o.fields[key]; !ok {
			o.doc.problem(value{line: o.line}, "the key %q%s is missing; add it", key, inside(o.path))
		}
	}
}

// kindOf names the type of a value in plain words.
func kindOf(n ast.Node) string {
	switch n.(type) {
	case nil, *ast.NullNode:
		return "empty"
	case *ast.StringNode, *ast.LiteralNode:
		return "a text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.SequenceNode:
		return "a list"
	case ast.MapNode:
		return "a mapping"
	}
	return "no plain value"
}
