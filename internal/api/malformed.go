package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

const (
	notUTF8 = "is not valid UTF-8"
	twice   = "is there more than once; give it once"
)

// malformed looks at path, query and headers: what is said with them has to be
// text, known, said once, and what the OpenAPI document permits. huma finds both
// in the one spelling that it reads right.
func malformed(r *http.Request, op *huma.Operation) *Problem {
	if !utf8.ValidString(r.URL.Path) {
		return invalid(Fault{"path", notUTF8})
	}
	for name, values := range r.Header {
		if slices.ContainsFunc(values, func(v string) bool { return !utf8.ValidString(v) }) {
			return invalid(Fault{name, notUTF8})
		}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return invalid(Fault{"query", "cannot be read; percent-encode the special characters"})
	}
	var wrong []Fault
	for name := range query {
		if !slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.In == "query" && p.Name == name }) {
			wrong = append(wrong, Fault{shown(name), "is no parameter of this call; remove it"})
		}
	}
	slices.SortFunc(wrong, func(a, b Fault) int { return strings.Compare(a.Field, b.Field) })
	for _, p := range op.Parameters {
		var message string
		switch p.In {
		case "query":
			message = wrongValue(p, query[p.Name])
		case "header":
			message = wrongValue(p, listed(r.Header, p.Name))
		}
		if message != "" {
			wrong = append(wrong, Fault{p.Name, message})
		}
	}
	if wrong != nil {
		return invalid(wrong[:min(len(wrong), maxFaults)]...)
	}
	r.URL.RawQuery = query.Encode()
	return nil
}

// listed gives a header's values. Those that are lists can be spread over many
// lines; they come as one.
func listed(h http.Header, name string) []string {
	values := h.Values(name)
	if len(values) > 1 && strings.HasPrefix(name, "If-") {
		h.Set(name, strings.Join(values, ", "))
		return h.Values(name)
	}
	return values
}

// wrongValue says what is wrong with a parameter, "" if nothing is.
func wrongValue(p *huma.Param, values []string) string {
	switch {
	case len(values) == 0 && p.Required:
		return "is missing"
	case len(values) == 0:
		return ""
	case len(values) > 1:
		return twice
	case !utf8.ValidString(values[0]):
		return notUTF8
	case strings.ContainsFunc(values[0], unicode.IsControl):
		return "has a control character; remove it"
	}
	return breaks(p.Schema, values[0])
}

// maxFaults bounds an answer: a request can have thousands of unknown fields.
const maxFaults = 50

// maxShown is how much is shown of a name that somebody else chose.
const maxShown = 64

// shown is such a name as it can stand in an answer.
func shown(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(name, string(utf8.RuneError)))
	if runes := []rune(name); len(runes) > maxShown {
		return string(runes[:maxShown]) + "…"
	}
	return name
}
