package blueprint

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint/pglexer"
)

// sqlFile reads one file of SQL: a migration, in goose's format, or a sample, which is SQL
// alone.
type sqlFile struct {
	check    statementChecker
	scanner  *pglexer.Scanner
	splitter pglexer.Splitter
	text     string

	up      bool               // The line "-- +goose Up" was read; of a sample, always.
	early   int                // The line of the first SQL before that.
	endless bool               // No line \. follows.
	block   int                // The line of a StatementBegin that is open.
	found   []Statement        // So far.
	indexes []indexFaults      // Of each: what a file with NO TRANSACTION cannot have.
	seed    int                // See Migration.Seed.
	seeds   int                // The line of the seed.
	noTx    bool               // -- +goose NO TRANSACTION.
	allow   map[Class]struct{} // -- +blueprint allow.
}

// parseMigration reads a migration, and returns the line of its seed, if it has one.
func parseMigration(c *collector, f file, own bool) (m Migration, seedLine int) {
	sum := sha256.Sum256(f.text())
	m = Migration{Version: f.version(), File: f.name, Checksum: hex.EncodeToString(sum[:]), Seed: -1}
	text, ok := sqlText(c, f)
	if !ok {
		return m, 0
	}
	s := newSQLFile(statementChecker{c: c, file: f.name, own: own}, text)
	if s.read() && !s.up {
		s.problem(0, `has no line "-- +goose Up"; put it before the first statement`)
	}
	s.checkTransaction()
	m.Up, m.Seed, m.NoTransaction = s.found, s.seed, s.noTx
	for _, class := range []Class{ClassLocks, ClassScans, ClassRewrites} {
		if _, ok := s.allow[class]; ok {
			m.Allow = append(m.Allow, class)
		}
	}
	return m, s.seeds
}

// parseSample reads a file of rows.
func parseSample(c *collector, f file) Sample {
	sample := Sample{Version: f.version(), File: f.name}
	text, ok := sqlText(c, f)
	if !ok {
		return sample
	}
	s := newSQLFile(statementChecker{c: c, file: f.name, sample: true}, text)
	s.up = true
	s.read()
	s.checkTransaction()
	sample.Statements = s.found
	return sample
}

func newSQLFile(check statementChecker, text string) *sqlFile {
	return &sqlFile{check: check, scanner: pglexer.NewScanner(text, 1), text: text, seed: -1, allow: map[Class]struct{}{}}
}

// sqlText returns the text of a file with line feeds alone and without a byte order mark.
func sqlText(c *collector, f file) (string, bool) {
	content := bytes.TrimPrefix(f.text(), []byte("\ufeff"))
	line := 1
	for rest := content; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			c.add(f.name, line, "is not valid UTF-8 (byte %#02x); save it in this encoding", rest[0])
			return "", false
		case r == 0:
			c.add(f.name, line, "has a NUL character; remove it")
			return "", false
		case r == '\n':
			line++
		}
		rest = rest[size:]
	}
	return string(content), true
}

func (s *sqlFile) problem(line int, format string, args ...any) {
	s.check.problem(line, format, args...)
}

// endOfText returns nil for the end of a text.
func endOfText(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// read reads all statements up to the Down part. It reports whether it could read so far.
func (s *sqlFile) read() bool {
	for {
		t, err := s.scanner.Next()
		if err != nil {
			return s.readable(endOfText(err)) && s.end()
		}
		a, isAnnotation := annotationOf(t)
		switch {
		case isAnnotation && !s.ownLine(t):
			s.problem(t.Line, "%q must stand at the start of a line of its own; goose does not see it here", a.text)
		case isAnnotation:
			if more, ok := s.annotate(t.Line, a); !more {
				return ok
			}
		case t.Kind == pglexer.Comment:
		case t.Kind == pglexer.Symbol && t.Text[0] == '\\':
			s.problem(t.Line, "%s is a command of psql and no SQL; remove it", t.Text)
			s.scanner.Skip(t.Start + len(untilLineEnd(s.text[t.Start:])))
		case !s.up:
			s.early = cmp.Or(s.early, t.Line)
		default:
			ended, err := s.splitter.Add(t)
			if !s.readable(err) {
				return false
			}
			if ended {
				s.statement()
			}
		}
	}
}

// readable adds the problem of a text that could not be read.
func (s *sqlFile) readable(err error) bool {
	var e *pglexer.Error
	if errors.As(err, &e) {
		s.problem(e.Line, "%s", e.Message)
	}
	return err == nil
}

// ownLine reports whether nothing stands before a token on its line.
func (s *sqlFile) ownLine(t pglexer.Token) bool {
	return t.Start == 0 || s.text[t.Start-1] == '\n'
}

func untilLineEnd(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// end checks that the last statement is complete.
func (s *sqlFile) end() bool {
	if !s.readable(s.splitter.Unclosed()) {
		return false
	}
	if s.block > 0 {
		s.problem(s.block, `"-- +goose StatementBegin" has no "-- +goose StatementEnd"; put it behind the statement`)
		return false
	}
	if s.splitter.Pending() {
		s.problem(s.splitter.Line(), "the statement that begins here does not end with a semicolon; add it")
		s.statement()
	}
	return true
}

// statement takes the statement that has ended. An empty one counts for nothing.
func (s *sqlFile) statement() {
	tokens := s.splitter.Take()
	if len(tokens) == 0 {
		return
	}
	s.check.statement(tokens)
	s.found = append(s.found, newStatement(s.text[tokens[0].Start:tokens[len(tokens)-1].End()], tokens))
	s.indexes = append(s.indexes, readIndexCommand(tokens).faults())
	if isCopyFromStdin(tokens) {
		s.skipCopyData()
	}
}

// skipCopyData skips the rows behind COPY ... FROM STDIN, which are no SQL. They end with a
// line \. if there is one.
func (s *sqlFile) skipCopyData() {
	const end = "\n\\."
	rest := s.scanner.Rest()
	for from := 0; !s.endless; {
		at := strings.Index(rest[from:], end)
		if at < 0 {
			s.endless = true
			return
		}
		if from += at + len(end); from == len(rest) || rest[from] == '\n' {
			s.scanner.Skip(len(s.text) - len(rest) + from)
			return
		}
	}
}

func isCopyFromStdin(tokens []pglexer.Token) bool {
	return tokens[0].Is("COPY") && slices.ContainsFunc(tokens, func(t pglexer.Token) bool { return t.Is("STDIN") })
}

// checkTransaction checks what depends on whether the file runs in a transaction, which a
// line anywhere in it says.
func (s *sqlFile) checkTransaction() {
	for i, statement := range s.found {
		switch {
		case !s.noTx && statement.Concurrently:
			s.problem(statement.Line, `CONCURRENTLY cannot be in a transaction; put the indexes into a file of their own with the line "-- +goose NO TRANSACTION"`)
		case !s.noTx:
		case !statement.Concurrently:
			s.problem(statement.Line, "a file with NO TRANSACTION may have CREATE INDEX, DROP INDEX and REINDEX, all with CONCURRENTLY, and nothing else; put this statement into another file")
		case s.indexes[i].unnamed:
			s.problem(statement.Line, "an index that is built CONCURRENTLY needs a name, by which a build that was interrupted is found; name it")
		case s.indexes[i].qualified:
			s.problem(statement.Line, "a name with a schema cannot be used with CONCURRENTLY; leave out the schema, each tenant has its own")
		}
	}
}
