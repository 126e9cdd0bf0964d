package blueprint

import (
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint/pglexer"
)

// annotation is a comment that says something to goose or to this product.
type annotation struct {
	text  string // "-- +goose Up"
	owner string // "+goose" or "+blueprint".
	words string // "UP", in upper case with single spaces.
}

// annotationOf reads the annotation in a comment of one line.
func annotationOf(t pglexer.Token) (annotation, bool) {
	comment, ok := strings.CutPrefix(t.Text, "--")
	if t.Kind != pglexer.Comment || !ok {
		return annotation{}, false
	}
	fields := strings.Fields(comment)
	if len(fields) == 0 || !strings.EqualFold(fields[0], "+goose") && !strings.EqualFold(fields[0], "+blueprint") {
		return annotation{}, false
	}
	return annotation{"-- " + strings.Join(fields, " "), strings.ToLower(fields[0]), strings.ToUpper(strings.Join(fields[1:], " "))}, true
}

// annotate follows an annotation. more is false where the file is read no further, and ok
// then says whether all before it could be read.
func (s *sqlFile) annotate(line int, a annotation) (more, ok bool) {
	switch {
	case s.check.sample:
		s.problem(line, "%q is for migrations, and a sample is SQL alone; remove the line", a.text)
	case a.owner == "+goose" && a.words == "DOWN":
		if !s.up {
			s.problem(line, `"-- +goose Down" must stand behind "-- +goose Up"; move it`)
			return false, false
		}
		return false, s.end()
	case a.owner == "+goose" && a.words == "STATEMENTEND":
		s.endBlock(line)
	case s.splitter.Pending():
		s.problem(line, "%q stands inside a statement, which begins at line %d; end that with a semicolon, or move the line", a.text, s.splitter.Line())
		return false, false
	case a.owner == "+goose":
		s.goose(line, a)
	default:
		s.blueprint(line, a)
	}
	return true, true
}

func (s *sqlFile) goose(line int, a annotation) {
	switch a.words {
	case "UP":
		if s.up {
			s.problem(line, `"-- +goose Up" is in the file twice; remove one`)
		}
		if s.early > 0 {
			s.problem(s.early, `stands before "-- +goose Up"; put that line before the first statement`)
		}
		s.up = true
	case "STATEMENTBEGIN":
		if !s.up || s.block > 0 {
			s.problem(line, `%q must stand behind "-- +goose Up" and outside of another; move it`, a.text)
		}
		s.block = line
	case "NO TRANSACTION":
		s.noTx = true
	case "ENVSUB ON":
		s.problem(line, "variables of the environment are not put into SQL; use the blueprint's variables: current_setting('tenant.variables.NAME')")
	case "ENVSUB OFF":
	default:
		s.problem(line, "%q is no annotation of goose; known are Up, Down, StatementBegin, StatementEnd and NO TRANSACTION", a.text)
	}
}

// endBlock ends the statement of a block, which needs no semicolon there.
func (s *sqlFile) endBlock(line int) {
	if s.block == 0 {
		s.problem(line, `"-- +goose StatementEnd" has no "-- +goose StatementBegin" before it; remove it`)
		return
	}
	s.block = 0
	if s.readable(s.splitter.Unclosed()) {
		s.statement()
		return
	}
	s.splitter = pglexer.Splitter{}
}

func (s *sqlFile) blueprint(line int, a annotation) {
	classes, isAllow := strings.CutPrefix(a.words, "ALLOW:")
	switch {
	case a.words == "SEED" && !s.up:
		s.problem(line, `%q stands before "-- +goose Up"; move it behind that line`, a.text)
	case a.words == "SEED" && s.seeds > 0:
		s.problem(line, "%q is in the file twice; the rows are inserted once, remove one", a.text)
	case a.words == "SEED":
		s.seed, s.seeds = len(s.found), line
	case isAllow:
		for word := range strings.SplitSeq(classes, ",") {
			s.permit(line, Class(strings.ToLower(strings.TrimSpace(word))))
		}
	default:
		s.problem(line, `%q is unknown; known are "-- +blueprint seed" and "-- +blueprint allow: CLASS"`, a.text)
	}
}

func (s *sqlFile) permit(line int, class Class) {
	switch class {
	case ClassLocks, ClassScans, ClassRewrites:
		s.allow[class] = struct{}{}
	case ClassOnline:
		s.problem(line, "the class online needs no permission; remove it")
	default:
		s.problem(line, "%q is no class; known are locks, scans and rewrites", class)
	}
}
