package blueprint_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

func TestBlueprint_ResolveVariables(t *testing.T) {
	t.Parallel()
	b, err := blueprint.Parse(folder(map[string]string{"blueprint.yaml": head + `variables:
  region: {default: eu, pattern: "eu|us", description: Where records may lie}
  owner: {description: Who pays}
  note: {default: ""}
  code: {pattern: "(?i)[a-z]+$", default: x}
  lines: {pattern: "(?s)a.*", default: a}
`}))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		given, want map[string]string
		faults      []string
	}{
		"Defaults":   {map[string]string{"owner": ""}, map[string]string{"region": "eu", "owner": "", "note": "", "code": "x", "lines": "a"}, nil},
		"Given":      {map[string]string{"owner": "O'Brien\n\ttwo", "region": "us", "note": "'; DROP", "code": "ABC"}, map[string]string{"region": "us", "owner": "O'Brien\n\ttwo", "note": "'; DROP", "code": "ABC", "lines": "a"}, nil},
		"Longest":    {map[string]string{"owner": strings.Repeat("é", 5000)}, map[string]string{"region": "eu", "owner": strings.Repeat("é", 5000), "note": "", "code": "x", "lines": "a"}, nil},
		"Lines":      {map[string]string{"owner": "", "lines": "a\nb"}, map[string]string{"region": "eu", "owner": "", "note": "", "code": "x", "lines": "a\nb"}, nil},
		"Missing":    {nil, nil, []string{`owner has no value; give one (Who pays)`}},
		"Unknown":    {map[string]string{"owner": "", "regon": "eu"}, nil, []string{`regon is no variable of the blueprint "clinic"; known are code, lines, note, owner, region`}},
		"Pattern":    {map[string]string{"owner": "", "region": "eux"}, nil, []string{`region is "eux", which the pattern eu|us does not match; write`}},
		"Prefix":     {map[string]string{"owner": "", "region": "xeu"}, nil, []string{`region is`}},
		"LineBreak":  {map[string]string{"owner": "", "code": "a\n"}, nil, []string{`code is`}},
		"Long":       {map[string]string{"owner": strings.Repeat("é", 5001)}, nil, []string{`owner has 10002 bytes; at most 10000`}},
		"Control":    {map[string]string{"owner": "a\x00"}, nil, []string{`owner has a control character (U+0000) at byte 1; remove it`}},
		"UTF8":       {map[string]string{"owner": "\xff"}, nil, []string{`owner is not valid UTF-8; encode it so`}},
		"Everything": {map[string]string{"region": "", "a": "", "b": ""}, nil, []string{`owner has no value`, `region is`, `a is no variable`, `b is no variable`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := b.ResolveVariables(c.given)
			if c.faults == nil {
				if err != nil || !maps.Equal(got, c.want) {
					t.Errorf("got %q, %v; want %q", got, err, c.want)
				}
				return
			}
			fields := errs.FieldsOf(err)
			if got != nil || errs.KindOf(err) != errs.KindInvalid || len(fields) != len(c.faults) {
				t.Fatalf("got %q, %+v; want %q", got, fields, c.faults)
			}
			for i, f := range fields {
				if !strings.HasPrefix(f.Field+" "+f.Message, "variables."+c.faults[i]) {
					t.Errorf("got %+v, want %q", f, c.faults[i])
				}
			}
		})
	}
	var none blueprint.Blueprint
	if got, err := none.ResolveVariables(nil); err != nil || got == nil || len(got) != 0 {
		t.Errorf("a blueprint without variables: %v, %v", got, err)
	}
	if _, err := none.ResolveVariables(map[string]string{"a": ""}); err == nil || !strings.Contains(err.Error(), "it has no variables, remove it") {
		t.Errorf("a blueprint without variables: %v", err)
	}
}
