package blueprint

import (
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint/pglexer"
)

// body checks the code in a string. It stands for many languages; what cannot be read as SQL
// is left to the database's guard. So is the rest of a text that lex cannot read to its end.
func (k statementChecker) body(code pglexer.Token, where scope, depth int) {
	if depth > maxDepth {
		return
	}
	tokens, _ := lex(code.Value(), code.Line)
	declares := false
	for _, part := range codeParts(tokens) {
		declares = declares || part[0].Is("DECLARE")
		if declares { // A variable may have the name of a command.
			k.calls(part, where)
		} else {
			k.check(part, where, depth)
		}
		declares = declares && !part[len(part)-1].Is("BEGIN")
		k.securityDefiner(part)
		k.dynamic(part, where, depth)
	}
}

// codeParts divides code where its statements begin: behind semicolons, labels, and the words
// that PL/pgSQL has before statements.
func codeParts(tokens []pglexer.Token) (parts [][]pglexer.Token) {
	from, depth := 0, 0
	for i, t := range tokens {
		switch {
		case t.IsSymbol("("):
			depth++
		case t.IsSymbol(")"):
			depth--
		}
		ends := t.IsSymbol(";")
		begins := ends || depth <= 0 && (t.Is("BEGIN", "ATOMIC", "THEN", "ELSE", "LOOP") || t.IsSymbol(">") && i > 0 && tokens[i-1].IsSymbol(">"))
		if !begins {
			continue
		}
		until := i + 1
		if ends {
			until, depth = i, 0
		}
		if until > from {
			parts = append(parts, tokens[from:until])
		}
		from = i + 1
	}
	if from < len(tokens) {
		parts = append(parts, tokens[from:])
	}
	return parts
}

// dynamic checks the strings behind EXECUTE, also those that format() fills in.
func (k statementChecker) dynamic(tokens []pglexer.Token, where scope, depth int) {
	executed := false
	for _, t := range tokens {
		executed = executed || t.Is("EXECUTE")
		if !executed || t.Kind != pglexer.String {
			continue
		}
		inner, _ := lex(t.Value(), t.Line)
		for _, part := range codeParts(inner) {
			k.check(withCreateFunction(part), where, depth+1)
		}
	}
}

// withCreateFunction completes what follows the name of a function that code puts together:
// 'CREATE FUNCTION ' || name || '() RETURNS ...'.
func withCreateFunction(tokens []pglexer.Token) []pglexer.Token {
	if !tokens[0].IsSymbol("(") || !hasWords(tokens, "LANGUAGE") {
		return tokens
	}
	var whole []pglexer.Token
	for _, word := range []string{"CREATE", "FUNCTION", "name"} {
		whole = append(whole, pglexer.Token{Kind: pglexer.Word, Text: word, Line: tokens[0].Line})
	}
	return append(whole, tokens...)
}

// routine refuses the clauses of functions that change whose privileges they have.
func (k statementChecker) routine(tokens []pglexer.Token) {
	outside := header(tokens)
	k.securityDefiner(outside)
	for i, t := range outside {
		if !t.Is("SET") || i+1 == len(outside) {
			continue
		}
		switch name, _ := settingName(outside[i+1:]); name {
		case "role", "session_authorization":
			k.problem(t.Line, "SET %s is refused: a function has the privileges of its caller; remove it", name)
		case "search_path":
			if !k.own {
				k.problem(t.Line, "SET search_path is refused: it would name the schema of one tenant in all of them; remove it, the caller's path is the tenant's schema")
			}
		}
	}
}

func (k statementChecker) securityDefiner(tokens []pglexer.Token) {
	for i, t := range tokens {
		if t.Is("DEFINER") && i > 0 && tokens[i-1].Is("SECURITY") && !k.own {
			k.problem(t.Line, "SECURITY DEFINER is refused: the function would have the privileges of the schemas' owner, who reaches all tenants; remove it")
		}
	}
}

// temporary refuses temporary objects that outlast the transaction: the next tenant's
// statements run on the same connection.
func (k statementChecker) temporary(cmd string, tokens []pglexer.Token, where scope) {
	if where == inFile && cmd == "SELECT" && (hasWords(tokens, "INTO", "TEMP") || hasWords(tokens, "INTO", "TEMPORARY")) {
		k.problem(tokens[0].Line, "SELECT INTO a temporary table is refused: it outlasts the transaction; write CREATE TEMP TABLE ... ON COMMIT DROP AS SELECT")
	}
	if where == inRoutine || !strings.HasPrefix(cmd, "CREATE ") {
		return
	}
	temporary := false
	for _, t := range tokens[1:] {
		if !t.Is(modifiers...) {
			break
		}
		temporary = temporary || t.Is("TEMP", "TEMPORARY")
	}
	switch {
	case !temporary:
	case cmd != "CREATE TABLE":
		k.problem(tokens[0].Line, "a temporary %s is refused: %s", strings.ToLower(strings.TrimPrefix(cmd, "CREATE ")), onTheConnection)
	case !hasWords(tokens, "ON", "COMMIT", "DROP"):
		k.problem(tokens[0].Line, "a temporary table outlasts the transaction and would be found by the next tenant's statements; add ON COMMIT DROP")
	}
}

// owner refuses other owners of objects.
func (k statementChecker) owner(cmd string, tokens []pglexer.Token) {
	if !strings.HasPrefix(cmd, "ALTER ") {
		return
	}
	for i, t := range tokens {
		if i > 2 && t.Is("TO") && tokens[i-1].Is("OWNER") && !tokens[i-2].Is("RENAME", "COLUMN", "CONSTRAINT", "ATTRIBUTE", "VALUE") {
			k.problem(t.Line, "OWNER TO is refused: the owner of the tenants' schemas owns all that is in them; remove it")
		}
	}
}

func hasWords(tokens []pglexer.Token, words ...string) bool {
	for i := range tokens {
		matches := i+len(words) <= len(tokens)
		for j := 0; matches && j < len(words); j++ {
			matches = tokens[i+j].Is(words[j])
		}
		if matches {
			return true
		}
	}
	return false
}
