package pglexer_test

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint/pglexer"
)

// split returns the texts of the statements of a script. What follows the last semicolon is
// one as well.
func split(text string) ([]string, error) {
	scanner := pglexer.NewScanner(text, 1)
	var splitter pglexer.Splitter
	var statements []string
	take := func() {
		if tokens := splitter.Take(); len(tokens) > 0 {
			statements = append(statements, scanner.Text(tokens[0].Start, tokens[len(tokens)-1].End()))
		}
	}
	for {
		t, err := scanner.Next()
		if errors.Is(err, io.EOF) {
			if err := splitter.Unclosed(); err != nil {
				return statements, err
			}
			take()
			return statements, nil
		}
		if err != nil {
			return statements, err
		}
		ended, err := splitter.Add(t)
		if err != nil {
			return statements, err
		}
		if ended {
			take()
		}
	}
}

// TestSplit has scripts of two statements, A and B, of which A hides a semicolon.
func TestSplit(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]string{
		"Plain":                   `SELECT 1`,
		"Quote":                   `SELECT 'a;b'`,
		"DoubledQuote":            `SELECT 'a'';b'`,
		"BackslashIsPlain":        `SELECT 'a\', ';'`,
		"EscapedQuote":            `SELECT E'a\';b'`,
		"LowerCaseE":              `SELECT e'\\\';'`,
		"NameThatEndsInE":         `SELECT namE'\', ';'`,
		"UnicodeString":           `SELECT U&'\0061;' UESCAPE '!'`,
		"UnicodeStringBackslash":  `SELECT U&'d\', ';'`,
		"BitString":               `SELECT B'01', X'1F', N'a;'`,
		"ContinuedEscapes":        "SELECT E'a'\n'\\';'",
		"ContinuedBehindComment":  "SELECT E'a' -- ;'\n\t'\\';'",
		"ContinuedPlain":          "SELECT 'a'\n'\\', ';'",
		"QuotedName":              `SELECT 1 AS "a;""b"`,
		"UnicodeName":             `SELECT 1 AS U&"\0061;"`,
		"LineComment":             "SELECT 1 -- it's ; \" $$ /* \n + 2",
		"LineCommentEndsAtReturn": "SELECT 1 -- ;\r + 2",
		"BlockComment":            `SELECT /* ; ' $$ -- */ 1`,
		"NestedComment":           `SELECT /* a /* b; */ ; */ 1`,
		"NestedAtOnce":            `SELECT /*/**/;*/ 1`,
		"CommentInOperator":       "SELECT 1 +-- ;\n 2",
		"BlockCommentInOperator":  `SELECT 1 +/* ; */ 2`,
		"Dollar":                  `SELECT $$a;'b$$`,
		"DollarTag":               `SELECT $a$;$$;$b$;$a$`,
		"DollarTagWithDigits":     `SELECT $a1_$;$a$;$a1_$`,
		"DollarOfOtherScript":     `SELECT $é$;$é$`,
		"DollarNextToDollar":      `SELECT $a$;$$a$`,
		"DollarInName":            `SELECT a$$, ';'`,
		"DollarBehindNumber":      `SELECT 1$$;$$`,
		"DollarBehindParam":       `SELECT $1$$;$$`,
		"DollarBehindReal":        `SELECT 1e5$$;$$`,
		"DollarBehindHex":         `SELECT 0x1F$$;$$`,
		"LoneDollar":              `SELECT $ , ';'`,
		"Range":                   `SELECT 1..2, .5, 1., 1.e3, 1_000`,
		"Parentheses":             `CREATE RULE r AS ON INSERT TO t DO (INSERT INTO a VALUES (1); INSERT INTO b VALUES (2);)`,
		"Atomic":                  `CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END`,
		"AtomicCase":              `CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT CASE WHEN true THEN 1 ELSE CASE 1 WHEN 1 THEN 2 END END; SELECT 1; END`,
		"AtomicCaseInParens":      `CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT (CASE 1 WHEN 1 THEN 2 END); SELECT 1; END`,
		"AtomicNames":             `CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT t.end, 1 AS case, "end"; SELECT 1; END`,
		"AtomicComment":           "create function f() returns int begin /* x */ atomic select 1; end",
		"BeginAsName":             `CREATE TABLE t (begin int, atomic int)`,
		"BeginElsewhere":          `SELECT begin, atomic FROM t`,
		"OtherScripts":            `SELECT 'ä;' AS größe, '患者;'`,
		"VerticalTab":             "SELECT\v1\f",
		"OpenBracket":             `SELECT a[1`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const second = "SELECT 2"
			for _, script := range []string{first + ";" + second + ";", "; ;\n" + first + "\n;;-- ;\n" + second, first + ";/* ; */" + second + ";--"} {
				got, err := split(script)
				if want := []string{strings.TrimSpace(first), second}; err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%q:\ngot  %q, %v\nwant %q", script, got, err, want)
				}
			}
		})
	}
}

func TestSplit_Errors(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"SELECT 1;\nSELECT 'a;\n\n": "line 2: the string that begins here",
		`SELECT E'a\'`:              "line 1: the string that begins here",
		`SELECT E'a\`:               "line 1: the string that begins here",
		"SELECT E'a'\n'b\\'":        "line 1: the string that begins here",
		"\n\nSELECT \"a":            "line 3: the name that begins here",
		`SELECT U&"a""`:             "line 1: the name that begins here",
		"SELECT $a$ $$ $A$":         "line 1: the string $a$ that begins here",
		"SELECT\n$$":                "line 2: the string $$ that begins here",
		"SELECT $" + strings.Repeat("é", 99) + "$ ": "line 1: the string $" + strings.Repeat("é", 19) + "... that begins here",
		"SELECT 1; /* a /* b */":                    "line 1: the comment /* that begins here",
		"/*/":                                       "line 1: the comment /* that begins here",
		"SELECT (1,\n (2;":                          "line 2: the parenthesis ( that begins here",
		"SELECT 1;\nSELECT 2);":                     "line 2: the parenthesis )",
		"CREATE FUNCTION f()\nBEGIN ATOMIC SELECT 1; SELECT 2;": "line 2: the body BEGIN ATOMIC",
		"SELECT 1a":   "line 1: a letter follows the number 1,",
		"SELECT 1e":   "line 1: a letter follows the number 1,",
		"SELECT 0xfg": "line 1: a letter follows the number 0xf,",
		"SELECT $1a":  "line 1: a letter follows the number $1,",
	} {
		_, err := split(script)
		var e *pglexer.Error
		if !errors.As(err, &e) || !strings.HasPrefix(e.Error(), want) {
			t.Errorf("%q: %v, want %q", script, err, want)
		}
	}
}

func TestToken_Value(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Role":                 "role",
		"GRÖSSE":               "grÖsse", // As PostgreSQL, which folds letters of ASCII alone.
		`"Ro""le"`:             `Ro"le`,
		`U&"role"`:             "role",
		`'it''s'`:              "it's",
		`'a\n'`:                `a\n`,
		`E'a\n\t\r\b\f\\\''''`: "a\n\t\r\b\f\\''",
		"E'ro'\n  'l\\e'":      "role",
		"'ro' -- x\n'le'":      "role",
		"U&'role'":             "role",
		"$$a'b$$":              "a'b",
		"$tag$a$b$tag$":        "a$b",
		"1.5e3":                "1.5e3",
		"$12":                  "$12",
		";":                    ";",
		"/* x */":              "/* x */",
		`\connect`:             `\connect`,
	} {
		token, err := pglexer.NewScanner(text, 1).Next()
		if err != nil || token.Text != text || token.Value() != want {
			t.Errorf("%q is %q of %q, %v; want %q", text, token.Value(), token.Text, err, want)
		}
	}
}

// TestScanner_Lines counts lines through tokens of several lines.
func TestScanner_Lines(t *testing.T) {
	t.Parallel()
	scanner := pglexer.NewScanner("a\n'b\n'\n/*\n*/ $$\n\n$$\nc", 5)
	var lines []int
	for {
		token, err := scanner.Next()
		if err != nil {
			break
		}
		lines = append(lines, token.Line)
	}
	if want := []int{5, 6, 8, 9, 12}; !reflect.DeepEqual(lines, want) {
		t.Errorf("lines %d, want %d", lines, want)
	}
}
