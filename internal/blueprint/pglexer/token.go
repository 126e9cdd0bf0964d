// Package pglexer reads SQL by PostgreSQL's lexical rules and divides scripts into
// statements. It knows where strings, names and comments end, and so where a semicolon ends a
// statement; it knows no grammar beyond that. What it cannot read in one way in all supported
// versions of PostgreSQL, such as a number with a letter behind it, is an error.
//
// The rules are those of a server with standard_conforming_strings = on, as scan.l has them
// (https://www.postgresql.org/docs/current/sql-syntax-lexical.html), and for statements those
// of psql: parentheses and the bodies BEGIN ATOMIC ... END keep their semicolons.
package pglexer

import (
	"fmt"
	"strings"
)

// Kind is the kind of a token.
type Kind int

// The kinds of tokens.
const (
	Word       Kind = iota // A key word or a name without quotes.
	QuotedName             // "name" or U&"name".
	String                 // 'text', E'text', U&'text', B'01', $$text$$ and the like.
	Number
	Param   // $1
	Symbol  // A character, "..", or a psql command with its backslash.
	Comment // With its delimiters.
)

// Token is one token of a text.
type Token struct {
	Kind  Kind
	Text  string // As it is written.
	Start int    // Of its first byte in the text.
	Line  int    // Of its first byte.
}

// End is the position behind the token.
func (t Token) End() int { return t.Start + len(t.Text) }

// Is reports whether the token is one of these key words, given in upper case.
func (t Token) Is(words ...string) bool {
	if t.Kind != Word {
		return false
	}
	for _, w := range words {
		if len(w) == len(t.Text) && strings.EqualFold(w, t.Text) {
			return true
		}
	}
	return false
}

// IsSymbol reports whether the token is this symbol.
func (t Token) IsSymbol(s string) bool { return t.Kind == Symbol && t.Text == s }

// IsName reports whether the token can be a name.
func (t Token) IsName() bool { return t.Kind == Word || t.Kind == QuotedName }

// Error is what PostgreSQL could not read, or not in one way only.
type Error struct {
	Line    int // Where it begins.
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }
