package api

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// schemaViolation says which rule of a parameter's schema a value breaks, "" if none. The
// schemas of parameters are whole numbers and strings, with these rules alone.
func schemaViolation(s *huma.Schema, value string) string {
	if s.Type == huma.TypeInteger {
		return integerViolation(s, value)
	}
	n := utf8.RuneCountInString(value)
	switch {
	case len(s.Enum) > 0 && !enumContains(s.Enum, value):
		return "is unknown; give one of " + joinEnum(s.Enum)
	case n == 0 && s.MinLength != nil:
		return "is empty; give a value, or leave it out"
	case s.MaxLength != nil && n > *s.MaxLength:
		return fmt.Sprintf("has %d characters; at most %d are possible", n, *s.MaxLength)
	case s.Pattern != "" && !compiledPattern(s.Pattern).MatchString(value):
		return "has other characters than it can have; give " + s.PatternDescription
	}
	return ""
}

func integerViolation(s *huma.Schema, value string) string {
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err == nil && (s.Minimum == nil || float64(n) >= *s.Minimum) && (s.Maximum == nil || float64(n) <= *s.Maximum):
		return ""
	case s.Minimum != nil && s.Maximum != nil:
		return fmt.Sprintf("is no whole number from %g to %g", *s.Minimum, *s.Maximum)
	}
	return "is no whole number that is possible here"
}

func enumContains(enum []any, value string) bool {
	for _, e := range enum {
		if e == value {
			return true
		}
	}
	return false
}

func joinEnum(enum []any) string {
	values := make([]string, len(enum))
	for i, e := range enum {
		values[i] = fmt.Sprint(e)
	}
	return strings.Join(values, ", ")
}

// patternCache keeps the few that there are.
var patternCache sync.Map // :: text → *regexp.Regexp

func compiledPattern(expr string) *regexp.Regexp {
	if cached, found := patternCache.Load(expr); found {
		if re, ok := cached.(*regexp.Regexp); ok {
			return re
		}
	}
	re := regexp.MustCompile(expr)
	patternCache.Store(expr, re)
	return re
}
