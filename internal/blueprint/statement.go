package blueprint

import (
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint/pglexer"
)

// Statement is one statement of a file.
type Statement struct {
	SQL          string // Without the final semicolon and the comments around it.
	Line         int    // Of its first token, from 1.
	Command      string // Its first key words, for reports: "CREATE INDEX", "INSERT".
	Concurrently bool   // CREATE INDEX, DROP INDEX or REINDEX with CONCURRENTLY.
}

func newStatement(sql string, tokens []pglexer.Token) Statement {
	return Statement{SQL: sql, Line: tokens[0].Line, Command: command(tokens), Concurrently: readIndexCommand(tokens).concurrently()}
}

// WithoutConcurrently returns the SQL for a schema that nobody uses yet: the same without
// CONCURRENTLY, which cannot be in a transaction.
func (s Statement) WithoutConcurrently() string {
	if !s.Concurrently {
		return s.SQL
	}
	tokens, err := lex(s.SQL, s.Line)
	if err != nil {
		return s.SQL // Cannot be: Parse has read it.
	}
	return readIndexCommand(tokens).without(s.SQL)
}

// lex returns the tokens of a text without its comments, and an error with those before it.
func lex(text string, line int) ([]pglexer.Token, error) {
	scanner := pglexer.NewScanner(text, line)
	var tokens []pglexer.Token
	for {
		t, err := scanner.Next()
		if err != nil {
			return tokens, endOfText(err)
		}
		if t.Kind != pglexer.Comment {
			tokens = append(tokens, t)
		}
	}
}

// indexCommand is what matters of CREATE INDEX, DROP INDEX and REINDEX.
type indexCommand struct {
	tokens  []pglexer.Token
	option  [2]int // The tokens from and to that say CONCURRENTLY; equal: none.
	list    [2]int // The parentheses of REINDEX's options; equal: none.
	unnamed bool   // CREATE INDEX without a name.
	target  int    // The token at which the names of tables or indexes begin; 0: another command.
	object  string // Of REINDEX: "INDEX", "TABLE", "SCHEMA" and so on.
}

func (c indexCommand) concurrently() bool { return c.option[0] < c.option[1] }

// indexFaults are what an index that is built CONCURRENTLY cannot have.
type indexFaults struct{ unnamed, qualified bool }

func (c indexCommand) faults() indexFaults { return indexFaults{c.unnamed, c.qualified()} }

// qualified reports whether a name has a schema. Names end at a parenthesis, where the
// columns of an index begin, or at a key word.
func (c indexCommand) qualified() bool {
	if c.target == 0 {
		return false
	}
	for _, t := range c.tokens[c.target:] {
		if t.IsSymbol("(") || t.Is("USING", "WHERE") {
			return false
		}
		if t.IsSymbol(".") {
			return true
		}
	}
	return false
}

func readIndexCommand(tokens []pglexer.Token) indexCommand {
	c := indexCommand{tokens: tokens}
	at := func(i int, words ...string) bool { return i < len(tokens) && tokens[i].Is(words...) }
	i := 1
	switch {
	case at(0, "CREATE") && (at(1, "INDEX") || at(1, "UNIQUE") && at(2, "INDEX")):
		if at(1, "UNIQUE") {
			i++
		}
		i = c.keyword(i + 1)
		if at(i, "IF") {
			i += 3
		}
		if c.unnamed = at(i, "ON"); !c.unnamed {
			i++
		}
		if c.target = i + 1; at(c.target, "ONLY") {
			c.target++
		}
	case at(0, "DROP") && at(1, "INDEX"):
		if c.target = c.keyword(2); at(c.target, "IF") {
			c.target += 2
		}
	case at(0, "REINDEX"):
		if i < len(tokens) && tokens[i].IsSymbol("(") {
			i = c.options(i)
		}
		if i < len(tokens) {
			c.object = strings.ToUpper(tokens[i].Text)
		}
		c.target = c.keyword(i + 1)
	}
	c.target = min(c.target, len(tokens))
	return c
}

// keyword notes the key word CONCURRENTLY if it is at i, and returns what follows.
func (c *indexCommand) keyword(i int) int {
	if i < len(c.tokens) && c.tokens[i].Is("CONCURRENTLY") {
		c.option = [2]int{i, i + 1}
		return i + 1
	}
	return i
}

// options reads the options of REINDEX from the opening parenthesis at i.
func (c *indexCommand) options(i int) int {
	c.list[0] = i
	for i++; i < len(c.tokens) && !c.tokens[i].IsSymbol(")"); i++ {
		if !c.tokens[i].Is("CONCURRENTLY") {
			continue
		}
		from := i
		for i+1 < len(c.tokens) && !c.tokens[i+1].IsSymbol(",") && !c.tokens[i+1].IsSymbol(")") {
			i++
		}
		switch strings.ToLower(c.tokens[i].Value()) {
		case "false", "off", "0":
		default:
			c.option = [2]int{from, i + 1}
		}
	}
	c.list[1] = i
	return i + 1
}

// without removes what says CONCURRENTLY from the text of the command.
func (c indexCommand) without(sql string) string {
	base := c.tokens[0].Start // The text begins with the first token.
	from, to := c.option[0], c.option[1]
	if c.list[0] < from && to <= c.list[1] {
		switch before, after := c.tokens[from-1], c.tokens[to]; {
		case after.IsSymbol(","):
			to++
		case before.IsSymbol(","):
			from--
		default: // The only option.
			from, to = c.list[0], c.list[1]+1
		}
	}
	if to == len(c.tokens) {
		return strings.TrimSpace(sql[:c.tokens[from].Start-base])
	}
	before, after := sql[:c.tokens[from].Start-base], sql[c.tokens[to].Start-base:]
	if from == c.list[0] && !strings.HasSuffix(before, " ") { // Parentheses kept two words apart.
		before += " "
	}
	return before + after
}
