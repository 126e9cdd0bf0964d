package pglexer

// Splitter collects the tokens of a script into statements.
type Splitter struct {
	tokens []Token // Of the statement so far, without comments.
	open   []Token // Parentheses that are open.
	blocks int     // BEGIN ATOMIC and CASE that are open.
	begin  Token   // The outermost BEGIN of them.
}

// Add takes the next token and reports whether it is the semicolon that ends a statement,
// which Take then returns. Comments are no part of a statement.
func (s *Splitter) Add(t Token) (ended bool, err error) {
	switch {
	case t.Kind == Comment:
		return false, nil
	case t.IsSymbol(";") && len(s.open) == 0 && s.blocks == 0:
		return true, nil
	case t.IsSymbol("("):
		s.open = append(s.open, t)
	case t.IsSymbol(")") && len(s.open) == 0:
		return false, &Error{t.Line, "the parenthesis ) has no opening one; remove it"}
	case t.IsSymbol(")"):
		s.open = s.open[:len(s.open)-1]
	case t.Kind == Word && len(s.open) == 0:
		s.block(t)
	}
	s.tokens = append(s.tokens, t)
	return false, nil
}

// block follows the body of a function in standard SQL, BEGIN ATOMIC ... END. Where the key
// words are names (x.end, AS end) they open and close nothing.
func (s *Splitter) block(t Token) {
	n := len(s.tokens)
	if n == 0 || s.tokens[n-1].IsSymbol(".") || s.tokens[n-1].Is("AS") {
		return
	}
	switch {
	case s.blocks == 0 && t.Is("ATOMIC") && s.tokens[n-1].Is("BEGIN") && IsRoutine(s.tokens):
		s.blocks, s.begin = 1, s.tokens[n-1]
	case s.blocks > 0 && t.Is("CASE"):
		s.blocks++
	case s.blocks > 0 && t.Is("END"):
		s.blocks--
	}
}

// IsRoutine reports whether a statement begins with CREATE [OR REPLACE] FUNCTION or PROCEDURE.
func IsRoutine(tokens []Token) bool {
	if len(tokens) < 2 || !tokens[0].Is("CREATE") {
		return false
	}
	if tokens = tokens[1:]; len(tokens) > 2 && tokens[0].Is("OR") && tokens[1].Is("REPLACE") {
		tokens = tokens[2:]
	}
	return tokens[0].Is("FUNCTION", "PROCEDURE")
}

// Pending reports whether there are tokens of a statement that has not ended.
func (s *Splitter) Pending() bool { return len(s.tokens) > 0 }

// Line is the line of the first of these tokens.
func (s *Splitter) Line() int { return s.tokens[0].Line }

// Take returns the tokens of the statement, and begins the next one.
func (s *Splitter) Take() []Token {
	tokens := s.tokens
	*s = Splitter{}
	return tokens
}

// Unclosed returns an error for a parenthesis or a body that is still open.
func (s *Splitter) Unclosed() error {
	switch {
	case len(s.open) > 0:
		return &Error{s.open[len(s.open)-1].Line, "the parenthesis ( that begins here is not closed; close it with )"}
	case s.blocks > 0:
		return &Error{s.begin.Line, "the body BEGIN ATOMIC that begins here has no END; add it"}
	}
	return nil
}
