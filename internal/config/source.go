package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// ValidationError is the fault of one setting.
type ValidationError struct {
	Variable string // Name of the setting, for example DATABASE_URL.
	Message  string // The fault and the remedy; never the value of a secret.
}

// Error joins name and message.
func (e *ValidationError) Error() string { return e.Variable + " " + e.Message }

// Source returns the value of a setting, "" when it is not set.
type Source func(variable string) string

// Environment reads the process's environment variables.
func Environment(variable string) string { return os.Getenv(variable) }

// WithOverrides returns a source that prefers the values to those of s, and to the files that
// s names for them. An empty value counts as not set.
func (s Source) WithOverrides(values map[string]string) Source {
	return func(variable string) string {
		if v := values[variable]; v != "" {
			return v
		}
		if name, isFile := strings.CutSuffix(variable, FileSuffix); isFile && values[name] != "" {
			return ""
		}
		return s(variable)
	}
}

// reader collects all faults, so that one run reports all of them.
type reader struct {
	get  Source
	errs []error
}

// addError records a fault once. A secret whose file has a fault has no other one.
func (r *reader) addError(variable, format string, args ...any) {
	fault := &ValidationError{Variable: variable, Message: fmt.Sprintf(format, args...)}
	for _, err := range ValidationErrors(r.err()) {
		if *err == *fault || err.Variable == variable+FileSuffix {
			return
		}
	}
	r.errs = append(r.errs, fault)
}

func (r *reader) err() error { return errors.Join(r.errs...) }

func (r *reader) text(variable, fallback string) string {
	if v := strings.TrimSpace(r.value(variable)); v != "" {
		return v
	}
	return fallback
}

func (r *reader) integer(variable string, fallback, minimum, maximum int64) int64 {
	text := r.text(variable, "")
	if text == "" {
		return fallback
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < minimum || n > maximum {
		r.addError(variable, "is %q; give a whole number from %d to %d", text, minimum, maximum)
		return fallback
	}
	return n
}

func (r *reader) oneOf(variable, fallback string, choices ...string) string {
	v := strings.ToLower(r.text(variable, fallback))
	if !slices.Contains(choices, v) {
		r.addError(variable, "is %q; choose one of %s", v, strings.Join(choices, ", "))
		return fallback
	}
	return v
}

// maxListItems is the most items of a comma-separated setting.
const maxListItems = 100

// items reads a comma-separated setting. An empty item is an error.
func (r *reader) items(variable, example string) []string {
	text := r.text(variable, "")
	if text == "" {
		return nil
	}
	items := strings.Split(text, ",")
	if len(items) > maxListItems {
		r.addError(variable, "has %d items; give at most %d", len(items), maxListItems)
		return nil
	}
	for i, item := range items {
		if items[i] = strings.TrimSpace(item); items[i] == "" {
			r.addError(variable, "has an empty item, number %d of %d; remove the comma, or give it as %s", i+1, len(items), example)
			return nil
		}
	}
	return items
}

func (r *reader) required(variable, hint string) string {
	v := r.text(variable, "")
	if v == "" {
		r.addError(variable, "is not set; %s", hint)
	}
	return v
}

// ValidationErrors lists the setting faults in an error of this package.
func ValidationErrors(err error) []*ValidationError {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		var all []*ValidationError
		for _, e := range joined.Unwrap() {
			all = append(all, ValidationErrors(e)...)
		}
		return all
	}
	var single *ValidationError
	if errors.As(err, &single) {
		return []*ValidationError{single}
	}
	return nil
}

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }
