package blueprint

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Variable is a value that each tenant has of its own.
type Variable struct {
	Name        string
	Default     *string // Nil: each tenant must give a value.
	Pattern     string  // A regular expression (RE2) that matches the whole value; empty: any.
	Description string
}

// check says what is wrong with a value, and what to do; empty if nothing is.
func (v Variable) check(s string) string {
	switch {
	case len(s) > tenant.MaxVariableBytes:
		return fmt.Sprintf("has %d bytes; at most %d are possible", len(s), tenant.MaxVariableBytes)
	case !utf8.ValidString(s):
		return "is not valid UTF-8; encode it so"
	}
	for i, r := range s {
		if unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' {
			return fmt.Sprintf("has a control character (U+%04X) at byte %d; remove it", r, i)
		}
	}
	if v.Pattern == "" {
		return ""
	}
	whole, err := regexp.Compile(`\A(?:` + v.Pattern + `)\z`)
	if err != nil {
		return "" // The pattern itself is the problem, and is one already.
	}
	if !whole.MatchString(s) {
		return fmt.Sprintf("is %q, which the pattern %s does not match; write a value that it matches", shorten(s), v.Pattern)
	}
	return ""
}

// ResolveVariables returns the value of each variable for a tenant: the given one or the
// default. A variable that does not exist, has no value or breaks a rule is an error of
// KindInvalid, whose fields have names such as variables.region.
func (b Blueprint) ResolveVariables(given map[string]string) (map[string]string, error) {
	values := make(map[string]string, len(b.Variables))
	var faults []errs.FieldError
	fault := func(name, format string, args ...any) {
		faults = append(faults, errs.FieldError{Field: "variables." + shorten(name), Message: fmt.Sprintf(format, args...)})
	}
	for _, v := range b.Variables {
		value, ok := given[v.Name]
		switch {
		case !ok && v.Default == nil:
			fault(v.Name, "has no value; give one%s", v.hint())
			continue
		case !ok:
			value = *v.Default
		}
		if text := v.check(value); text != "" {
			fault(v.Name, "%s", text)
			continue
		}
		values[v.Name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.ContainsFunc(b.Variables, func(v Variable) bool { return v.Name == name }) {
			fault(name, "is no variable of the blueprint %q; %s", b.Name, b.knownVariables())
		}
	}
	if len(faults) > 0 {
		return nil, &errs.Error{Kind: errs.KindInvalid, Op: "resolve variables", Fields: faults}
	}
	return values, nil
}

func (v Variable) hint() string {
	if v.Description == "" {
		return ""
	}
	return " (" + shorten(v.Description) + ")"
}

func (b Blueprint) knownVariables() string {
	if len(b.Variables) == 0 {
		return "it has no variables, remove it"
	}
	names := make([]string, len(b.Variables))
	for i, v := range b.Variables {
		names[i] = v.Name
	}
	return "known are " + strings.Join(names, ", ")
}
