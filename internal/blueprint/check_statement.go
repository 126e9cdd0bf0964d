package blueprint

import (
	"slices"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint/pglexer"
)

// scope says where a statement stands.
type scope int

const (
	inFile    scope = iota
	inDo            // In the body of DO, which the migration runs.
	inRoutine       // In the body of a function, which the platform runs as well.
)

// maxDepth is how deep code within strings within code is read.
const maxDepth = 4

// statementChecker refuses statements that would break the run or another tenant.
type statementChecker struct {
	c      *collector
	file   string
	own    bool // The standard blueprint's own file.
	sample bool
}

func (k statementChecker) problem(line int, format string, args ...any) {
	k.c.add(k.file, line, format, args...)
}

// statement checks a statement of the file, which has at least one token.
func (k statementChecker) statement(tokens []pglexer.Token) { k.check(tokens, inFile, 0) }

func (k statementChecker) check(tokens []pglexer.Token, where scope, depth int) {
	cmd := command(tokens)
	k.command(cmd, tokens, where)
	k.setting(tokens, where)
	k.calls(tokens, where)
	k.temporary(cmd, tokens, where)
	k.owner(cmd, tokens)
	if isRoutineCommand(cmd) {
		k.routine(tokens)
	}
	for _, code := range bodies(cmd, tokens) {
		inner := where
		switch {
		case cmd != "DO":
			inner = inRoutine
		case where == inFile:
			inner = inDo
		}
		k.body(code, inner, depth+1)
	}
}

// command refuses a command by its first words. Those of functions are the platform's own.
func (k statementChecker) command(cmd string, tokens []pglexer.Token, where scope) {
	first, object, _ := strings.Cut(cmd, " ")
	object = strings.TrimPrefix(object, "ON ")
	line := tokens[0].Line
	switch {
	case where == inRoutine:
		if cmd == "DISCARD" {
			k.problem(line, "DISCARD is refused: %s", onTheConnection)
		}
	case where == inDo && isBlockWord(cmd, tokens):
	case refusedCommands[cmd] != "":
		k.problem(line, "%s is refused: %s", cmd, refusedCommands[cmd])
	case slices.Contains([]string{"CREATE", "ALTER", "DROP", "COMMENT"}, first) && refusedObjects[object] != "":
		k.problem(line, "%s is refused: %s", cmd, refusedObjects[object])
	case where == inDo:
	case !slices.Contains(permitted, first):
		k.problem(line, "%q begins no statement that a migration may have; remove it", shorten(tokens[0].Text))
	case k.sample && !slices.Contains(permittedInSamples, first):
		k.problem(line, "%s is refused: a sample has rows alone; put it into a migration", cmd)
	}
	if where != inRoutine {
		k.wholeDatabase(cmd, tokens)
	}
}

// isBlockWord reports the words of PL/pgSQL that are commands elsewhere.
func isBlockWord(cmd string, tokens []pglexer.Token) bool {
	switch cmd {
	case "BEGIN", "END", "EXECUTE", "DECLARE":
		return true
	case "COMMIT", "ROLLBACK": // Alone they end the transaction; a name is assigned to.
		return len(tokens) > 1 && !tokens[1].Is("AND", "WORK", "TRANSACTION", "PREPARED", "TO")
	}
	// A variable of such a name, or an assignment to it.
	return len(tokens) > 1 && (tokens[1].IsSymbol(":") || tokens[1].IsSymbol("=") || tokens[1].IsSymbol("[") || tokens[1].IsSymbol("."))
}

// wholeDatabase refuses what works on more than the tables that it names.
func (k statementChecker) wholeDatabase(cmd string, tokens []pglexer.Token) {
	switch cmd {
	case "REINDEX":
		if c := readIndexCommand(tokens); c.object != "INDEX" && c.object != "TABLE" {
			k.problem(tokens[0].Line, "REINDEX %s is refused: it reaches other tenants; write REINDEX TABLE for each table", c.object)
		}
	case "ANALYZE":
		if last := tokens[len(tokens)-1]; len(tokens) == 1 || last.Is("VERBOSE") || tokens[1].IsSymbol("(") && last.IsSymbol(")") && !slices.ContainsFunc(tokens[2:], func(t pglexer.Token) bool { return t.IsSymbol("(") }) {
			k.problem(tokens[0].Line, "ANALYZE without a table is refused: it reads the tables of all tenants; name the tables")
		}
	case "ALTER TABLE":
		for i, t := range tokens {
			if t.Is("CONCURRENTLY") && i > 2 && !tokens[i-1].Is("RENAME", "COLUMN", "TO") {
				k.problem(t.Line, "DETACH PARTITION with CONCURRENTLY is refused: it cannot be in a transaction; leave out CONCURRENTLY")
			}
		}
	}
}

// setting refuses SET, RESET and DISCARD of what the run needs.
func (k statementChecker) setting(tokens []pglexer.Token, where scope) {
	if len(tokens) < 2 || !tokens[0].Is("SET", "RESET") {
		return
	}
	name, local := settingName(tokens[1:])
	verb := strings.ToUpper(tokens[0].Text)
	line := tokens[0].Line
	reason := refusedSettings[name]
	switch {
	case where == inRoutine && !slices.Contains(sessionSettings, name):
	case verb == "RESET" && where != inRoutine: // The command is refused.
	case reason == "" && name == "all":
		k.problem(line, "RESET ALL is refused: %s", onTheConnection)
	case reason == "" && strings.HasPrefix(name, "tenant."):
		k.problem(line, "SET %s is refused: the run sets the tenant's values; use a name that does not begin with tenant", name)
	case reason != "":
		k.problem(line, "%s %s is refused: %s", verb, name, reason)
	case !local && name != "constraints":
		k.problem(line, "SET %s is refused: it outlasts the transaction and would apply to the next tenant; write SET LOCAL", name)
	}
}

// settingName returns the setting that SET or RESET names, in lower case, and whether the
// change ends with the transaction.
func settingName(tokens []pglexer.Token) (name string, local bool) {
	at := func(i int, words ...string) bool { return i < len(tokens) && tokens[i].Is(words...) }
	switch {
	case at(0, "SESSION") && at(1, "AUTHORIZATION"), at(1, "SESSION") && at(2, "AUTHORIZATION"):
		return "session_authorization", at(0, "LOCAL")
	case at(0, "SESSION") && at(1, "CHARACTERISTICS"):
		return "session characteristics", false
	case at(0, "LOCAL", "SESSION") && len(tokens) > 1 && !tokens[1].IsSymbol("=") && !at(1, "TO"):
		local = at(0, "LOCAL")
		tokens = tokens[1:]
	}
	switch {
	case at(0, "TIME") && at(1, "ZONE"):
		return "timezone", local
	case at(0, "NAMES"):
		return "client_encoding", local
	case at(0, "SCHEMA"):
		return "search_path", local
	}
	var b strings.Builder
	for i, t := range tokens {
		if i%2 == 0 && !t.IsName() || i%2 == 1 && !t.IsSymbol(".") {
			break
		}
		b.WriteString(strings.ToLower(t.Value()))
	}
	return b.String(), local
}

// sessionLocks are functions whose locks outlast the transaction.
var sessionLocks = []string{"pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock", "pg_try_advisory_lock_shared"}

// calls refuses functions that do what the refused commands do.
func (k statementChecker) calls(tokens []pglexer.Token, where scope) {
	for i, t := range tokens {
		if !t.IsName() || i+2 >= len(tokens) || !tokens[i+1].IsSymbol("(") {
			continue
		}
		switch name := t.Value(); {
		case name == "set_config" && tokens[i+2].Kind == pglexer.String:
			k.setConfig(t.Line, strings.ToLower(tokens[i+2].Value()), where)
		case where != inRoutine && slices.Contains(sessionLocks, name):
			k.problem(t.Line, "%s is refused: its lock outlasts the transaction; write %s", name, strings.Replace(name, "advisory", "advisory_xact", 1))
		}
	}
}

// setConfig refuses the function that does the same as SET.
func (k statementChecker) setConfig(line int, name string, where scope) {
	reason := refusedSettings[name]
	if strings.HasPrefix(name, "tenant.") {
		reason = "the run sets the tenant's values; use a name that does not begin with tenant"
	}
	if reason != "" && (where != inRoutine || slices.Contains(sessionSettings, name)) {
		k.problem(line, "set_config of %s is refused: %s", shorten(name), reason)
	}
}

// shorten is the beginning of a text, for messages.
func shorten(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
