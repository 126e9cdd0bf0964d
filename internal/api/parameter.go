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

// breaks says which rule of a parameter's schema a value breaks, "" if none. The
// schemas of parameters are whole numbers and strings, with these rules alone.
func breaks(s *huma.Schema, value string) string {
	if s.Type == huma.TypeInteger {
		return breaksNumber(s, value)
	}
	n := utf8.RuneCountInString(value)
	switch {
	case len(s.Enum) > 0 && !listsValue(s.Enum, value):
		return "is unknown; give one of " + words(s.Enum)
	case n == 0 && s.MinLength != nil:
		return "is empty; give a value, or leave it out"
	case s.MaxLength != nil && n > *s.MaxLength:
		return fmt.Sprintf("has %d characters; at most %d are possible", n, *s.MaxLength)
	case s.Pattern != "" && !pattern(s.Pattern).MatchString(value):
		return "has other characters than it can have; give " + s.PatternDescription
	}
	return ""
}

func breaksNumber(s *huma.Schema, value string) string {
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err == nil && (s.Minimum == nil || float64(n) >= *s.Minimum) && (s.Maximum == nil || float64(n) <= *s.Maximum):
		return ""
	case s.Minimum != nil && s.Maximum != nil:
		return fmt.Sprintf("is no whole number from %g to %g", *s.Minimum, *s.Maximum)
	}
	return "is no whole number that is possible here"
}

func listsValue(enum []any, value string) bool {
	for _, e := range enum {
		if e == value {
			return true
		}
	}
	return false
}

func words(enum []any) string {
	all := make([]string, len(enum))
	for i, e := range enum {
		all[i] = fmt.Sprint(e)
	}
	return strings.Join(all, ", ")
}

// patterns keeps the few that there are.
var patterns sync.Map // :: text → *regexp.Regexp

func pattern(text string) *regexp.Regexp {
	if known, there := patterns.Load(text); there {
		if made, ok := known.(*regexp.Regexp); ok {
			return made
		}
	}
	made := regexp.MustCompile(text)
	patterns.Store(text, made)
	return made
}
