package tenant

import (
	"fmt"
	"log/slog"
	"strings"
	"unicode"
)

// Limits of a password, in characters. The maximum limits the cost of hashing.
const (
	MinPassword = 12
	MaxPassword = 256
)

// Password is a password that a caller chose for a tenant's admin. It prints as
// "[password]" with every verb, in logs, in JSON and inside structs. Only Reveal returns
// it, and only a hash is stored.
type Password string

const hiddenPassword = "[password]"

// Reveal returns the password, for hashing or sending.
func (p Password) Reveal() string { return string(p) }

// String hides the password.
func (Password) String() string { return hiddenPassword }

// Format hides the password from every verb of package fmt, also from those that do not
// call String.
func (Password) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hiddenPassword)) }

// LogValue hides the password from package slog.
func (Password) LogValue() slog.Value { return slog.StringValue(hiddenPassword) }

// MarshalText hides the password from JSON and other encodings.
func (Password) MarshalText() ([]byte, error) { return []byte(hiddenPassword), nil }

// CheckPassword returns an error that says what is wrong with a password of the admin
// with this address; an empty address is unknown. The password is neither trimmed nor
// normalized. No message contains any part of it.
func CheckPassword(password, adminEmail string) error {
	if err := CheckLength(password, MinPassword, MaxPassword); err != nil {
		return err
	}
	if strings.ContainsFunc(password, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }) {
		return fmt.Errorf("has a line break or another control character; remove it")
	}
	address := strings.ToLower(strings.TrimSpace(adminEmail))
	if address != "" && strings.Contains(strings.ToLower(password), address) {
		return fmt.Errorf("has the admin's e-mail address in it; choose one that is harder to guess")
	}
	return nil
}
