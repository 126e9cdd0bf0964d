package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Error is what is wrong with one setting.
type Error struct {
	Variable string // The setting's name, as DATABASE_URL.
	Message  string // The fault and the remedy; never the value of a secret.
}

// Error joins name and message.
func (e *Error) Error() string { return e.Variable + " " + e.Message }

// Source gives the value of a setting, "" when it is not set.
type Source func(variable string) string

// Environment reads the process's environment variables.
func Environment(variable string) string { return os.Getenv(variable) }

// Over gives a source in which the values come before those of s. An empty
// value counts as not given.
func (s Source) Over(values map[string]string) Source {
	return func(variable string) string {
		if v := values[variable]; v != "" {
			return v
		}
		return s(variable)
	}
}

// reader collects faults, so that a person sees all of them at once.
type reader struct {
	get  Source
	errs []error
}

func (r *reader) fault(variable, format string, args ...any) {
	r.errs = append(r.errs, &Error{Variable: variable, Message: fmt.Sprintf(format, args...)})
}

func (r *reader) err() error { return errors.Join(r.errs...) }

func (r *reader) text(variable, fallback string) string {
	if v := strings.TrimSpace(r.get(variable)); v != "" {
		return v
	}
	return fallback
}

func (r *reader) number(variable string, fallback, least, most int64) int64 {
	text := r.text(variable, "")
	if text == "" {
		return fallback
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		r.fault(variable, "is %q; give a whole number from %d to %d", text, least, most)
		return fallback
	}
	return n
}

func (r *reader) choice(variable, fallback string, choices ...string) string {
	v := strings.ToLower(r.text(variable, fallback))
	if !slices.Contains(choices, v) {
		r.fault(variable, "is %q; choose one of %s", v, strings.Join(choices, ", "))
		return fallback
	}
	return v
}

func (r *reader) need(variable, remedy string) string {
	v := r.text(variable, "")
	if v == "" {
		r.fault(variable, "is not set; %s", remedy)
	}
	return v
}

// Faults lists the setting faults in an error of this package.
func Faults(err error) []*Error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		var all []*Error
		for _, e := range joined.Unwrap() {
			all = append(all, Faults(e)...)
		}
		return all
	}
	var one *Error
	if errors.As(err, &one) {
		return []*Error{one}
	}
	return nil
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
