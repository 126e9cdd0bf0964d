package console

import (
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
)

// functions are what templates call, in one language.
func (v *views) functions(language string) template.FuncMap {
	t := func(text string, args ...any) string { return translate(language, text, args...) }
	return template.FuncMap{
		"t":     t,
		"asset": v.assets.path,
		// Comments of templates themselves are left out of pages.
		"pieces": func() template.HTML { return piecesMark },
		"entry": func(v view, section, path, text string) navigationEntry {
			return navigationEntry{path, text, v.Section == section}
		},
		// count says how many of something there are: one in singular, else in plural with %d.
		"count": func(n any, one, many string) string {
			number := toInt(n)
			if number == 1 {
				return t(one)
			}
			return strings.Replace(t(many), "%d", groupDigits(number, language), 1)
		},
		"status":       func(status string) string { return t(statusTexts[status]) },
		"step":         func(step string) string { return stepText(language, step) },
		"time":         timeElement,
		"took":         took,
		"xlm":          contracts.FormatXLM,
		"number":       func(n any) string { return groupDigits(toInt(n), language) },
		"kebab":        func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "-")) },
		"short":        func(s string) string { return shorten(s, 12) },
		"json":         compactJSON,
		"bars":         bars,
		"join":         func(all []string) string { return strings.Join(all, ", ") },
		"deref":        deref,
		"languages":    func() []string { return languages },
		"languageName": func(code string) string { return map[string]string{"en": "English", "de": "Deutsch"}[code] },
	}
}

// navigationEntry is one entry of the navigation.
type navigationEntry struct {
	Path, Text string
	Current    bool
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// toInt converts the numbers that views have. Others are 0.
func toInt(n any) int64 {
	switch n := n.(type) {
	case int:
		return int64(n)
	case int64:
		return n
	case *int:
		if n != nil {
			return int64(*n)
		}
	case *int64:
		if n != nil {
			return *n
		}
	}
	return 0
}

// groupDigits writes a number with groups of three digits.
func groupDigits(n int64, language string) string {
	separator := ","
	if language == "de" {
		separator = "."
	}
	digits := strconv.FormatInt(max(n, -n), 10)
	var groups []string
	for len(digits) > 3 {
		groups = append(groups, digits[len(digits)-3:])
		digits = digits[:len(digits)-3]
	}
	groups = append(groups, digits)
	slices.Reverse(groups)
	text := strings.Join(groups, separator)
	if n < 0 {
		return "-" + text
	}
	return text
}

// timeElement is a time with its zone: UTC, which the script of the pages replaces by the browser's zone.
// It takes a time or a pointer to one; a zero or missing time is a dash.
func timeElement(at any) template.HTML {
	var moment time.Time
	switch at := at.(type) {
	case time.Time:
		moment = at
	case *time.Time:
		if at != nil {
			moment = *at
		}
	}
	if moment.IsZero() {
		return "–"
	}
	moment = moment.UTC()
	return template.HTML(`<time datetime="` + moment.Format(time.RFC3339) + `">` + moment.Format("2006-01-02 15:04") + ` UTC</time>`) //nolint:gosec // digits and signs alone
}

// took is a duration in milliseconds, short: 12 ms, 1.4 s, 3 min.
func took(ms any) string {
	var n float64
	switch ms := ms.(type) {
	case *int64:
		if ms == nil {
			return ""
		}
		n = float64(*ms)
	case int64:
		n = float64(ms)
	case float64:
		n = ms
	}
	switch {
	case n < 1:
		return "< 1 ms"
	case n < 1000:
		return strconv.FormatFloat(n, 'f', 0, 64) + " ms"
	case n < 60_000:
		return strconv.FormatFloat(n/1000, 'f', 1, 64) + " s"
	}
	return fmt.Sprintf("%d min %d s", int(n)/60_000, int(n)/1000%60)
}

// shorten keeps the two ends of a long identifier.
func shorten(s string, keep int) string {
	if len(s) <= keep+3 {
		return s
	}
	return s[:keep/2] + "…" + s[len(s)-keep/2:]
}

// compactJSON is a value of an audit event for display.
func compactJSON(v any) string {
	text, ok := v.(string)
	if ok {
		return text
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}
