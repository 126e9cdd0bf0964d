package blueprint_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

func TestProblems_Error(t *testing.T) {
	t.Parallel()
	var p blueprint.Problems
	for i := range 20 {
		p = append(p, blueprint.Problem{File: "a.sql", Line: i, Message: "is wrong; correct it"})
	}
	lines := strings.Split(p.Error(), "\n")
	if len(lines) != 20 || lines[0] != "a.sql: is wrong; correct it" || lines[19] != "a.sql:19: is wrong; correct it" {
		t.Errorf("20 problems are %q", lines)
	}
	p = append(p, p[:2]...)
	if lines = strings.Split(p.Error(), "\n"); len(lines) != 21 || lines[20] != "and 2 more" {
		t.Errorf("22 problems end with %q", lines[20:])
	}
}

// TestParse_ManyProblems: a file with nothing but problems costs no more than its size.
func TestParse_ManyProblems(t *testing.T) {
	t.Parallel()
	_, err := blueprint.Parse(migration(strings.Repeat("COMMIT;\n", 100000)))
	var p blueprint.Problems
	if !errors.As(err, &p) || len(p) != 1000 {
		t.Errorf("%d problems", len(p))
	}
	message := errs.SafeMessage(err)
	if !strings.HasPrefix(message, "migrations/0001_a.sql:2: COMMIT is refused") || len(message) > 2*errs.MaxErrorLength {
		t.Errorf("the message is %q", message)
	}
	if text := fmt.Sprint(err); !strings.Contains(text, "\nand 980 more") {
		t.Errorf("the error is %q", text)
	}
}
