package blueprint

import (
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint/pglexer"
)

// modifiers stand between CREATE and what is created, and say nothing about its kind.
var modifiers = []string{"OR", "REPLACE", "UNIQUE", "TEMP", "TEMPORARY", "GLOBAL", "LOCAL", "UNLOGGED", "RECURSIVE", "TRUSTED", "PROCEDURAL", "ON"}

// pairs are the kinds of objects whose names have more than one word, by the first.
var pairs = map[string][]string{
	"MATERIALIZED": {"VIEW"},
	"FOREIGN":      {"TABLE", "DATA WRAPPER"},
	"EVENT":        {"TRIGGER"},
	"USER":         {"MAPPING"},
	"ACCESS":       {"METHOD"},
	"OPERATOR":     {"CLASS", "FAMILY"},
	"TEXT":         {"SEARCH CONFIGURATION", "SEARCH DICTIONARY", "SEARCH PARSER", "SEARCH TEMPLATE"},
	"DEFAULT":      {"PRIVILEGES"},
	"LARGE":        {"OBJECT"},
}

// longCommands are the commands whose name is more than their first word, but which concern
// no object that is made, changed or dropped.
var longCommands = map[string]string{
	"REFRESH": "REFRESH MATERIALIZED VIEW", "LOCK": "LOCK TABLE", "SECURITY": "SECURITY LABEL",
	"IMPORT": "IMPORT FOREIGN SCHEMA", "REASSIGN": "REASSIGN OWNED", "START": "START TRANSACTION",
}

// command returns the first key words of a statement, in upper case, without modifiers:
// "CREATE INDEX" for CREATE UNIQUE INDEX. It is empty where a statement begins with none.
func command(tokens []pglexer.Token) string {
	for len(tokens) > 1 && tokens[0].IsSymbol("(") { // (SELECT ...) UNION ...
		tokens = tokens[1:]
	}
	if tokens[0].Kind != pglexer.Word {
		return ""
	}
	first := strings.ToUpper(tokens[0].Text)
	switch first {
	case "CREATE", "ALTER", "DROP", "COMMENT":
		if object := objectOf(tokens[1:]); object != "" {
			return strings.Replace(first, "COMMENT", "COMMENT ON", 1) + " " + object
		}
	}
	if long := longCommands[first]; long != "" {
		return long
	}
	return first
}

// objectOf returns the kind of object that follows CREATE, ALTER, DROP or COMMENT.
func objectOf(tokens []pglexer.Token) string {
	word := func(i int) string {
		if i < len(tokens) && tokens[i].Kind == pglexer.Word {
			return strings.ToUpper(tokens[i].Text)
		}
		return ""
	}
	for len(tokens) > 0 && (tokens[0].Is(modifiers...) || word(0) == "CONSTRAINT" && word(1) == "TRIGGER" || word(0) == "DEFAULT" && word(1) == "CONVERSION") {
		tokens = tokens[1:]
	}
	first := word(0)
	for _, more := range pairs[first] {
		words, matches := strings.Fields(more), true
		for i, w := range words {
			matches = matches && word(i+1) == w
		}
		if matches {
			return first + " " + more
		}
	}
	return first
}

// isRoutineCommand reports whether a command makes or changes a function or procedure.
func isRoutineCommand(cmd string) bool {
	verb, object, _ := strings.Cut(cmd, " ")
	return (verb == "CREATE" || verb == "ALTER") && (object == "FUNCTION" || object == "PROCEDURE" || object == "ROUTINE")
}

// bodies returns the strings of a statement that hold code: the text behind AS of CREATE
// FUNCTION or PROCEDURE, and that of DO.
func bodies(cmd string, tokens []pglexer.Token) (code []pglexer.Token) {
	depth := 0
	for i, t := range tokens {
		switch {
		case t.IsSymbol("("):
			depth++
		case t.IsSymbol(")"):
			depth--
		case i == 0 || t.Kind != pglexer.String || depth > 0:
		case cmd == "DO" && !tokens[i-1].Is("LANGUAGE"), strings.HasPrefix(cmd, "CREATE ") && isRoutineCommand(cmd) && tokens[i-1].Is("AS"):
			code = append(code, t)
		}
	}
	return code
}

// header returns the tokens of CREATE or ALTER FUNCTION without the parameters and without a
// body in standard SQL.
func header(tokens []pglexer.Token) (outside []pglexer.Token) {
	depth := 0
	for i, t := range tokens {
		switch {
		case t.IsSymbol("("):
			depth++
		case t.IsSymbol(")"):
			depth--
		case depth > 0:
		case t.Is("ATOMIC") && tokens[i-1].Is("BEGIN"):
			return outside
		default:
			outside = append(outside, t)
		}
	}
	return outside
}
