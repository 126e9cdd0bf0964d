package config

import (
	"fmt"
	"log/slog"
)

// Secret is a value that prints as "(secret)" with every verb: in logs, in JSON and inside
// structs. Only Reveal returns it.
type Secret string

const redacted = "(secret)"

// Reveal returns the value.
func (s Secret) Reveal() string { return string(s) }

// String hides the value.
func (Secret) String() string { return redacted }

// Format hides the value from every verb of package fmt.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue hides the value from package slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the value from JSON and other encodings.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
