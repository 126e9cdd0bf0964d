package validate

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
)

const (
	notUTF8  = "is not valid UTF-8"
	repeated = "occurs more than once; give it once"
)

// Params checks path, query and headers: values must be UTF-8, query parameters must
// be known, and each value must occur once and match its schema. It normalises headers and
// query for huma.
func Params(r *http.Request, op *huma.Operation) *problem.Problem {
	if !utf8.ValidString(r.URL.Path) {
		return problem.Invalid(problem.FieldError{Field: "path", Message: notUTF8})
	}
	for name, values := range r.Header {
		if slices.ContainsFunc(values, func(v string) bool { return !utf8.ValidString(v) }) {
			return problem.Invalid(problem.FieldError{Field: name, Message: notUTF8})
		}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return problem.Invalid(problem.FieldError{Field: "query", Message: "cannot be read; percent-encode the special characters"})
	}
	var fieldErrs []problem.FieldError
	for name := range query {
		switch p := queryParam(op, name); {
		case p == nil:
			fieldErrs = append(fieldErrs, problem.FieldError{Field: quoteName(name), Message: "is not a parameter of this operation; remove it"})
		case p.Schema.Type == huma.TypeObject:
			if message := validateProperty(p, name, query[name]); message != "" {
				fieldErrs = append(fieldErrs, problem.FieldError{Field: quoteName(name), Message: message})
			}
		}
	}
	slices.SortFunc(fieldErrs, func(a, b problem.FieldError) int { return strings.Compare(a.Field, b.Field) })
	for _, p := range op.Parameters {
		var message string
		switch {
		case p.Schema.Type == huma.TypeObject: // Its properties were validated.
		case p.In == "query":
			message = validateParam(p, query[p.Name])
		case p.In == "header":
			message = validateParam(p, headerValues(r.Header, p.Name))
		}
		if message != "" {
			fieldErrs = append(fieldErrs, problem.FieldError{Field: p.Name, Message: message})
		}
	}
	if fieldErrs != nil {
		return problem.Invalid(fieldErrs[:min(len(fieldErrs), maxFieldErrors)]...)
	}
	r.URL.RawQuery = query.Encode()
	return nil
}

// queryParam returns the parameter of a name, nil if there is none. Each property of an object is a
// parameter: metadata.region.
func queryParam(op *huma.Operation, name string) *huma.Param {
	for _, p := range op.Parameters {
		if p.In != "query" {
			continue
		}
		if p.Schema.Type == huma.TypeObject && strings.HasPrefix(name, p.Name+".") || p.Schema.Type != huma.TypeObject && p.Name == name {
			return p
		}
	}
	return nil
}

// validateProperty returns the error of a property of an object, "" if it is valid.
func validateProperty(p *huma.Param, name string, values []string) string {
	if !utf8.ValidString(name) {
		return notUTF8
	}
	schema, _ := p.Schema.AdditionalProperties.(*huma.Schema)
	return validateParam(&huma.Param{Schema: schema}, values)
}

// headerValues returns the values of a header. Lists that span several lines are joined.
func headerValues(h http.Header, name string) []string {
	values := h.Values(name)
	if len(values) > 1 && strings.HasPrefix(name, "If-") {
		h.Set(name, strings.Join(values, ", "))
		return h.Values(name)
	}
	return values
}

// validateParam returns the error of a parameter, "" if it is valid.
func validateParam(p *huma.Param, values []string) string {
	switch {
	case len(values) == 0 && p.Required:
		return "is missing"
	case len(values) == 0:
		return ""
	case len(values) > 1:
		return repeated
	case !utf8.ValidString(values[0]):
		return notUTF8
	case strings.ContainsFunc(values[0], unicode.IsControl):
		return "has a control character; remove it"
	}
	return schemaViolation(p, values[0])
}

// schemaViolation returns huma's message without the value, which may be a secret.
func schemaViolation(p *huma.Param, text string) string {
	var value any = text
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && p.Schema.Type == huma.TypeInteger {
		value = n
	}
	var result huma.ValidateResult
	huma.Validate(nil, p.Schema, huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, value, &result)
	if len(result.Errors) == 0 {
		return ""
	}
	var detail *huma.ErrorDetail
	if !errors.As(result.Errors[0], &detail) {
		return "is not valid"
	}
	return "is not valid: " + detail.Message
}

// maxFieldErrors limits a response: a request can have thousands of unknown fields.
const maxFieldErrors = 50

// maxQuotedName is the maximum length of a client-supplied name in a message, in characters.
const maxQuotedName = 64

// quoteName makes a client-supplied name safe for a message.
func quoteName(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(name, string(utf8.RuneError)))
	if runes := []rune(name); len(runes) > maxQuotedName {
		return string(runes[:maxQuotedName]) + "…"
	}
	return name
}
