package tenant

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// Limits of a tenant's fields, in characters unless said otherwise.
const (
	MinNameLength       = 3
	MaxNameLength       = 255
	MaxPersonName       = 255
	MaxExternalID       = 255
	MaxManagedBy        = 255
	MaxReason           = 1000
	MaxLocale           = 35 // Bytes; RFC 5646, 4.4.1.
	MaxMetadataEntries  = 64
	MaxMetadataKey      = 63
	MaxMetadataValue    = 1024
	MaxBlueprintName    = 63 // Bytes.
	MaxVariables        = 64
	MaxVariableName     = 63    // Bytes.
	MaxVariableBytes    = 10000 // Of a value.
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
	if in.Locale != "" {
		check("locale", CheckLocale(in.Locale))
	}
	if in.Blueprint == "" {
		in.Blueprint = StandardBlueprint
	}
	check("blueprint", CheckBlueprint(in.Blueprint))
	check("variables", CheckVariables(in.Variables))
	if len(broken) > 0 {
		return in, &errs.Error{Kind: errs.KindInvalid, Op: "validate tenant", Fields: broken}
	}
	return in, nil
}

// CheckPersonName returns an error that says what is wrong with a first or last name.
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

// CheckReason does the same for the reason of a move that needs one, which the audit log keeps: a
// legal hold and its end, the opening of a database login, an undo that is skipped.
func CheckReason(reason string) error { return checkText(reason, 1, MaxReason) }

// localeTag is the part of BCP 47 that chooses texts: language, script, region and variants.
var localeTag = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

// CheckLocale does the same for the language of a tenant's mails. It is stored as it was given.
func CheckLocale(tag string) error {
	if _, err := language.Parse(tag); err != nil || len(tag) > MaxLocale || !localeTag.MatchString(tag) {
		return fmt.Errorf("is %q, which is no BCP 47 tag of a known language; give one like de or de-AT", errs.Truncate(tag, MaxLocale))
	}
	return nil
}

// CheckBlueprint does the same for the name of a blueprint.
func CheckBlueprint(name string) error {
	return checkIdentifier(name, MaxBlueprintName, blueprintName, "write lower-case letters, digits, _ and -, the first a letter")
}

// CheckVariableName does the same for the name of a blueprint's variable.
func CheckVariableName(name string) error {
	return checkIdentifier(name, MaxVariableName, variableName, "write lower-case letters, digits and _, the first no digit")
}

var (
	blueprintName = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)
	variableName  = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)
)

func checkIdentifier(name string, most int, pattern *regexp.Regexp, remedy string) error {
	switch {
	case len(name) > most:
		return fmt.Errorf("has %d bytes; at most %d are possible", len(name), most)
	case !pattern.MatchString(name):
		return fmt.Errorf("is %q; %s", name, remedy)
	}
	return nil
}

// CheckVariables does the same for the variables of a tenant, as far as possible without its
// blueprint.
func CheckVariables(m map[string]string) error {
	if len(m) > MaxVariables {
		return fmt.Errorf("has %d keys; at most %d are possible", len(m), MaxVariables)
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if err := CheckVariableName(key); err != nil {
			return fmt.Errorf("has a key that %w", err)
		}
		switch value := m[key]; {
		case len(value) > MaxVariableBytes:
			return fmt.Errorf("has under key %q a value of %d bytes; at most %d are possible", key, len(value), MaxVariableBytes)
		case !utf8.ValidString(value):
			return fmt.Errorf("has under key %q a value that is not valid UTF-8", key)
		case strings.ContainsRune(value, 0):
			return fmt.Errorf("has under key %q a value with a NUL character; remove it", key)
		}
	}
	return nil
}

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
