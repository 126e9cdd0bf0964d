package tenant

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// Limits of a tenant's fields, in characters unless said otherwise.
const (
	MinNameLength       = 3
	MaxNameLength       = 255
	MaxPersonName       = 255
	MaxExternalID       = 255
	MaxManagedBy        = 255
	MaxMetadataEntries  = 64
	MaxMetadataKey      = 63
	MaxMetadataValue    = 1024
	MaxEmailBytes       = 254
	maxEmailLocalBytes  = 64
	maxDomainLabelBytes = 63
)

// Normalize trims the inputs, composes them (NFC) and checks every rule. It returns all
// broken rules in one KindInvalid error, in the order of the fields.
func (in Inputs) Normalize() (Inputs, error) {
	in.Name = NormalizeName(in.Name)
	in.AdminEmail = strings.TrimSpace(in.AdminEmail)
	in.AdminFirstName = NormalizeName(in.AdminFirstName)
	in.AdminLastName = NormalizeName(in.AdminLastName)

	var broken []errs.FieldError
	check := func(field string, err error) {
		if err != nil {
			broken = append(broken, errs.FieldError{Field: field, Message: err.Error()})
		}
	}
	check("name", CheckName(in.Name))
	check("adminEmail", CheckEmail(in.AdminEmail))
	check("adminFirstName", CheckPersonName(in.AdminFirstName))
	check("adminLastName", CheckPersonName(in.AdminLastName))
	if in.AdminPassword != "" {
		check("adminPassword", CheckPassword(in.AdminPassword.Reveal(), in.AdminEmail))
	}
	if in.ExternalID != "" {
		check("externalId", CheckExternalID(in.ExternalID))
	}
	check("metadata", CheckMetadata(in.Metadata))
	if in.ManagedBy != "" {
		check("managedBy", CheckManagedBy(in.ManagedBy))
	}
	if len(broken) > 0 {
		return in, &errs.Error{Kind: errs.KindInvalid, Op: "validate tenant", Fields: broken}
	}
	return in, nil
}

// NormalizeName is the form in which names are stored and compared: trimmed, NFC.
func NormalizeName(s string) string { return norm.NFC.String(strings.TrimSpace(s)) }

// NameKey is the key by which names are compared, ignoring case. It is computed here and
// not by the database, where case depends on the collation.
func NameKey(name string) string {
	return norm.NFC.String(strings.ToLower(strings.ToUpper(NormalizeName(name))))
}

// CheckName returns an error that says what is wrong with a tenant's (normalized) name.
func CheckName(name string) error {
	name = NormalizeName(name)
	if err := checkText(name, MinNameLength, MaxNameLength); err != nil {
		return err
	}
	if !strings.ContainsFunc(name, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
		return fmt.Errorf("has no letter or digit; give the organisation's name")
	}
	return nil
}

// CheckPersonName does the same for a first or last name.
func CheckPersonName(name string) error { return checkText(NormalizeName(name), 1, MaxPersonName) }

// CheckExternalID does the same for an external id.
func CheckExternalID(id string) error {
	if id != strings.TrimSpace(id) {
		return fmt.Errorf("starts or ends with white space; remove it")
	}
	return checkText(id, 1, MaxExternalID)
}

// CheckManagedBy does the same for the name of a tenant's manager.
func CheckManagedBy(who string) error { return checkText(who, 1, MaxManagedBy) }

// CheckMetadata does the same for a tenant's metadata.
func CheckMetadata(m map[string]string) error {
	if len(m) > MaxMetadataEntries {
		return fmt.Errorf("has %d keys; at most %d are possible", len(m), MaxMetadataEntries)
	}
	for key, value := range m {
		if err := checkText(key, 1, MaxMetadataKey); err != nil {
			return fmt.Errorf("has the key %q, which %w", errs.Truncate(key, MaxMetadataKey), err)
		}
		if err := CheckLength(value, 0, MaxMetadataValue); err != nil {
			return fmt.Errorf("has under key %q a value that %w", key, err)
		}
		if strings.ContainsRune(value, 0) {
			return fmt.Errorf("has under key %q a value with a NUL character; remove it", key)
		}
	}
	return nil
}

func checkText(s string, least, most int) error {
	if err := CheckLength(s, least, most); err != nil {
		return err
	}
	for i, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return fmt.Errorf("has a control character (U+%04X) at byte %d; remove it", r, i)
		}
		if isInvisible(r) {
			return fmt.Errorf("has an invisible character (U+%04X) at byte %d; remove it", r, i)
		}
	}
	return nil
}

// isInvisible reports characters that make a text look like another one: those that
// change its direction, and spaces of zero width. It permits joiners, which some scripts
// need.
func isInvisible(r rune) bool {
	return r >= '\u202A' && r <= '\u202E' || r >= '\u2066' && r <= '\u2069' || r == '\u200B' || r == '\u2060' || r == '\uFEFF' || r == '\u00AD'
}

// CheckLength returns an error when s is not valid UTF-8 or has fewer than least or more
// than most characters.
func CheckLength(s string, least, most int) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("is not valid UTF-8")
	}
	n := utf8.RuneCountInString(s)
	switch {
	case n == 0 && least > 0:
		return fmt.Errorf("is empty; give %d to %d characters", least, most)
	case n < least:
		return fmt.Errorf("has %d characters; at least %d are needed", n, least)
	case n > most:
		return fmt.Errorf("has %d characters; at most %d are possible", n, most)
	}
	return nil
}
