package pglexer_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint/pglexer"
)

// FuzzSplit: the tokens are the whole text but for white space, each with its line; a statement
// alone has the tokens that it had in the script, and is one statement.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{
		"SELECT 1; SELECT 2", "SELECT 'a;''b' , E'\\';' -- x\n, $a$;$a$; /* /* ; */ */", "SELECT E'a'\n'\\';'", `SELECT "a;""b", U&"c"`,
		"CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE 1 WHEN 1 THEN 2 END; END;", "CREATE RULE r AS ON INSERT TO t DO (a; b);",
		"SELECT 1..2, .5e-3, 0x1F, $1, a$$b", "\\connect x\n$", "SELECT 1a", "SELECT ((", "'", "\xff;\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		scanner := pglexer.NewScanner(text, 1)
		end := 0
		for {
			token, err := scanner.Next()
			if err != nil {
				var e *pglexer.Error
				if !errors.Is(err, io.EOF) && (!errors.As(err, &e) || e.Line < 1 || e.Line > 1+strings.Count(text, "\n")) {
					t.Fatalf("%q: %v", text, err)
				}
				break
			}
			if gap := text[end:token.Start]; strings.Trim(gap, " \t\n\r\f\v") != "" || token.Text == "" || text[token.Start:token.End()] != token.Text {
				t.Fatalf("%q: %q before %+v", text, gap, token)
			}
			if line := 1 + strings.Count(text[:token.Start], "\n"); token.Line != line {
				t.Fatalf("%q: %+v is in line %d", text, token, line)
			}
			_ = token.Value()
			end = token.End()
		}
		statements, err := split(text)
		if err != nil {
			return
		}
		for _, statement := range statements {
			if again, err := split(statement + "\n;"); err != nil || len(again) != 1 || again[0] != statement {
				t.Errorf("%q alone is %q, %v", statement, again, err)
			}
		}
	})
}
