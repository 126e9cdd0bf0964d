package pglexer

import (
	"io"
	"strings"
)

// Scanner reads the tokens of a text, one after the other.
type Scanner struct {
	text string
	pos  int
	line int
}

// NewScanner returns a scanner of a text whose first line has the given number.
func NewScanner(text string, line int) *Scanner { return &Scanner{text: text, line: line} }

// Next returns the next token; io.EOF at the end, and an *Error where the text cannot be
// read. After an error it must not be called.
func (s *Scanner) Next() (Token, error) {
	for s.pos < len(s.text) && isSpace(s.text[s.pos]) {
		if s.text[s.pos] == '\n' {
			s.line++
		}
		s.pos++
	}
	if s.pos == len(s.text) {
		return Token{}, io.EOF
	}
	kind, end, fault := s.scan()
	if fault != "" {
		return Token{}, &Error{s.line, fault}
	}
	t := Token{Kind: kind, Text: s.text[s.pos:end], Start: s.pos, Line: s.line}
	s.line += strings.Count(t.Text, "\n")
	s.pos = end
	return t, nil
}

// Text is the text between two positions.
func (s *Scanner) Text(start, end int) string { return s.text[start:end] }

// Skip continues at a position behind the last token.
func (s *Scanner) Skip(pos int) {
	s.line += strings.Count(s.text[s.pos:pos], "\n")
	s.pos = pos
}

// Rest is the text behind the last token.
func (s *Scanner) Rest() string { return s.text[s.pos:] }

// scan returns the kind and the end of the token at the current position, or what is wrong.
func (s *Scanner) scan() (kind Kind, end int, fault string) {
	rest := s.text[s.pos:]
	c, next := rest[0], byte(0)
	if len(rest) > 1 {
		next = rest[1]
	}
	switch {
	case c == '-' && next == '-':
		return Comment, s.lineEnd(s.pos), ""
	case c == '/' && next == '*':
		return s.blockComment()
	case c == '\'':
		return s.quoted(s.pos+1, false)
	case (c == 'e' || c == 'E') && next == '\'':
		return s.quoted(s.pos+2, true)
	case strings.IndexByte("bBxXnN", c) >= 0 && next == '\'':
		return s.quoted(s.pos+2, false)
	case (c == 'u' || c == 'U') && strings.HasPrefix(rest[1:], "&'"):
		return s.quoted(s.pos+3, false)
	case (c == 'u' || c == 'U') && strings.HasPrefix(rest[1:], `&"`):
		return s.quotedName(s.pos + 3)
	case c == '"':
		return s.quotedName(s.pos + 1)
	case c == '$':
		return s.dollar()
	case isDigit(c), c == '.' && isDigit(next):
		return s.number()
	case isNameStart(c):
		return Word, s.while(s.pos+1, isNamePart), ""
	case c == '.' && next == '.':
		return Symbol, s.pos + 2, ""
	case c == '\\':
		return Symbol, s.while(s.pos+1, func(c byte) bool { return !isSpace(c) }), ""
	}
	return Symbol, s.pos + 1, ""
}

func (s *Scanner) while(pos int, is func(byte) bool) int {
	for pos < len(s.text) && is(s.text[pos]) {
		pos++
	}
	return pos
}

func (s *Scanner) lineEnd(pos int) int {
	return s.while(pos, func(c byte) bool { return c != '\n' && c != '\r' })
}

// blockComment reads a comment, in which others can be.
func (s *Scanner) blockComment() (Kind, int, string) {
	depth := 0
	for pos := s.pos; pos+1 < len(s.text); {
		switch s.text[pos : pos+2] {
		case "/*":
			depth++
			pos += 2
		case "*/":
			depth--
			pos += 2
			if depth == 0 {
				return Comment, pos, ""
			}
		default:
			pos++
		}
	}
	return 0, 0, "the comment /* that begins here does not end; close it with */"
}

// quoted reads a string from the position behind its opening quote. A string goes on behind
// white space with a line break, by the rules of its beginning.
func (s *Scanner) quoted(pos int, escapes bool) (Kind, int, string) {
	for pos < len(s.text) {
		switch c := s.text[pos]; {
		case c == '\\' && escapes:
			pos += 2
		case c == '\'' && pos+1 < len(s.text) && s.text[pos+1] == '\'':
			pos += 2
		case c == '\'':
			next := s.continuation(pos + 1)
			if next < 0 {
				return String, pos + 1, ""
			}
			pos = next
		default:
			pos++
		}
	}
	return 0, 0, "the string that begins here does not end; close it with a single quote"
}

// continuation is the position behind the quote with which a string goes on; -1 if it has ended.
func (s *Scanner) continuation(pos int) int {
	lineBreak := false
	for pos < len(s.text) {
		switch c := s.text[pos]; {
		case isSpace(c):
			lineBreak = lineBreak || c == '\n' || c == '\r'
			pos++
		case strings.HasPrefix(s.text[pos:], "--"):
			pos = s.lineEnd(pos)
		case c == '\'' && lineBreak:
			return pos + 1
		default:
			return -1
		}
	}
	return -1
}

func (s *Scanner) quotedName(pos int) (Kind, int, string) {
	for ; pos < len(s.text); pos++ {
		if s.text[pos] != '"' {
			continue
		}
		if pos+1 == len(s.text) || s.text[pos+1] != '"' {
			return QuotedName, pos + 1, ""
		}
		pos++
	}
	return 0, 0, "the name that begins here does not end; close it with a double quote"
}

// dollar reads $1, $$text$$ or $tag$text$tag$.
func (s *Scanner) dollar() (Kind, int, string) {
	if end := s.while(s.pos+1, isDigit); end > s.pos+1 {
		return Param, end, s.junk(end)
	}
	tag := s.pos + 1
	if tag < len(s.text) && isNameStart(s.text[tag]) {
		tag = s.while(tag, func(c byte) bool { return c != '$' && isNamePart(c) })
	}
	if tag == len(s.text) || s.text[tag] != '$' {
		return Symbol, s.pos + 1, ""
	}
	delimiter := s.text[s.pos : tag+1]
	if length := strings.Index(s.text[tag+1:], delimiter); length >= 0 {
		return String, tag + 1 + length + len(delimiter), ""
	}
	return 0, 0, "the string " + short(delimiter) + " that begins here does not end; close it with the same delimiter"
}

func (s *Scanner) number() (Kind, int, string) {
	digits := func(c byte) bool { return isDigit(c) || c == '_' }
	end := s.pos
	if prefix := strings.ToLower(s.text[end:min(end+2, len(s.text))]); prefix == "0x" || prefix == "0o" || prefix == "0b" {
		end = s.while(end+2, func(c byte) bool { return digits(c) || prefix == "0x" && isHex(c) })
		return Number, end, s.junk(end)
	}
	end = s.while(end, digits)
	if strings.HasPrefix(s.text[end:], ".") && !strings.HasPrefix(s.text[end:], "..") {
		end = s.while(end+1, digits)
	}
	if end < len(s.text) && (s.text[end] == 'e' || s.text[end] == 'E') {
		exponent := end + 1
		if exponent < len(s.text) && (s.text[exponent] == '+' || s.text[exponent] == '-') {
			exponent++
		}
		if exponent < len(s.text) && isDigit(s.text[exponent]) {
			end = s.while(exponent, digits)
		}
	}
	return Number, end, s.junk(end)
}

// junk refuses a letter behind a number: PostgreSQL before version 15 begins a name there.
func (s *Scanner) junk(pos int) string {
	if pos < len(s.text) && isNameStart(s.text[pos]) {
		return "a letter follows the number " + short(s.text[s.pos:pos]) + ", which versions of PostgreSQL read differently; put a space between them"
	}
	return ""
}

func short(s string) string {
	const most = 40
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

// isNameStart reports letters, the underscore, and every byte of other scripts, as
// PostgreSQL does.
func isNameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func isNamePart(c byte) bool { return isNameStart(c) || isDigit(c) || c == '$' }
