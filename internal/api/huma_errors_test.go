package api

import (
	"fmt"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

func TestProblemFromHuma(t *testing.T) {
	t.Parallel()
	conflict := errs.Errorf(errs.KindConflict, "x", "taken")
	for _, c := range []struct {
		status int
		errs   []error
		want   int
		detail string
	}{
		{500, []error{conflict}, 409, "taken"},
		{500, []error{fmt.Errorf("SELECT: %w", conflict)}, 409, "taken"},
		{500, []error{fmt.Errorf("SELECT")}, 500, "an internal error; the log has the cause"},
		{422, []error{&huma.ErrorDetail{Message: "expected x", Value: "secret"}}, 400, "words"},
		{406, nil, 406, "words"},
	} {
		p := problemFromHuma(c.status, "words", c.errs)
		if p.Status != c.want || p.Detail != c.detail || p.Errors == nil {
			t.Errorf("%+v, want %+v", p, c)
		}
	}
}
