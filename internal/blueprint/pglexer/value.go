package pglexer

import "strings"

// Value is the text of a string or name: without quotes, and without the escapes of the usual
// forms. Names without quotes are in lower case. Escapes by code (\x41, U&'\0041') stay as
// they are.
func (t Token) Value() string {
	switch t.Kind {
	case Word:
		return lower(t.Text)
	case QuotedName:
		text := t.Text[strings.IndexByte(t.Text, '"')+1 : len(t.Text)-1]
		return strings.ReplaceAll(text, `""`, `"`)
	case String:
		return t.stringValue()
	case Number, Param, Symbol, Comment:
	}
	return t.Text
}

func (t Token) stringValue() string {
	if t.Text[0] == '$' {
		delimiter := strings.IndexByte(t.Text[1:], '$') + 2
		return t.Text[delimiter : len(t.Text)-delimiter]
	}
	s := Scanner{text: t.Text}
	escapes := t.Text[0] == 'e' || t.Text[0] == 'E'
	var b strings.Builder
	for pos := strings.IndexByte(t.Text, '\'') + 1; pos < len(t.Text); pos++ {
		switch c := t.Text[pos]; {
		case c == '\\' && escapes && pos+1 < len(t.Text):
			pos++
			b.WriteByte(unescape(t.Text[pos]))
		case c == '\'' && pos+1 < len(t.Text) && t.Text[pos+1] == '\'':
			pos++
			b.WriteByte(c)
		case c == '\'':
			next := s.continuation(pos + 1)
			if next < 0 {
				return b.String()
			}
			pos = next - 1
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func unescape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// lower is PostgreSQL's: letters of ASCII alone.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
