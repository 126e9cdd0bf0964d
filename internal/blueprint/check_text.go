package blueprint

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Limits of texts in blueprint.yaml, in characters unless said otherwise.
const (
	maxText      = 255
	maxLongText  = 1024
	maxNameBytes = 63 // PostgreSQL cuts longer names.
	maxURLBytes  = 2048
)

var (
	objectName    = regexp.MustCompile(`^[a-z_][a-z0-9_$]*$`)
	extensionName = regexp.MustCompile(`^[a-z_][a-z0-9_-]*$`)
	stepName      = regexp.MustCompile(`^[A-Z][A-Z0-9_]{2,62}$`)
	secretName    = regexp.MustCompile(`^BLUEPRINT_SECRET_[A-Z0-9_]+$`)
)

// matches returns a check of a text by a pattern, of at most so many bytes.
func matches(pattern *regexp.Regexp, most int, remedy string) func(string) error {
	return func(s string) error {
		switch {
		case len(s) > most:
			return fmt.Errorf("has %d bytes; at most %d are possible", len(s), most)
		case !pattern.MatchString(s):
			return fmt.Errorf("is %q; %s", shorten(s), remedy)
		}
		return nil
	}
}

var (
	checkTable      = matches(objectName, maxNameBytes, "write the name of a table without a schema, in lower case: letters, digits, _ and $, the first no digit")
	checkExtension  = matches(extensionName, maxNameBytes, "write the name of an extension, in lower case: letters, digits, _ and -")
	checkSecretForm = matches(secretName, maxText, "write the name of the variable that has the secret: BLUEPRINT_SECRET_ and capital letters, digits and _")
)

// checkSecret also refuses the name of the variable with the path of a secret's file.
func checkSecret(s string) error {
	if strings.HasSuffix(s, "_FILE") {
		return fmt.Errorf("is %q, which names a file; write the name without _FILE: the secret is read from that variable, or from the file", shorten(s))
	}
	return checkSecretForm(s)
}

// validLocale reports whether a part of a file's name is a locale.
func validLocale(s string) bool { return tenant.CheckLocale(s) == nil && s != "txt" }

// oneOf returns a check of a text by the values that it can have.
func oneOf(values ...string) func(string) error {
	return func(s string) error {
		if slices.Contains(values, s) {
			return nil
		}
		return fmt.Errorf("is %q; write %s", shorten(s), strings.Join(values, " or "))
	}
}

// plainText returns a check of a text of one line.
func plainText(least, most int) func(string) error {
	return func(s string) error {
		if err := tenant.CheckLength(s, least, most); err != nil {
			return err
		}
		if i := strings.IndexFunc(s, unicode.IsControl); i >= 0 {
			return fmt.Errorf("has a control character or line break at byte %d; remove it", i)
		}
		return nil
	}
}

// checkRole refuses what is no role of the platform.
func checkRole(s string) error {
	if err := matches(objectName, maxNameBytes, "write the name of a role, in lower case: letters, digits, _ and $, the first no digit")(s); err != nil {
		return err
	}
	if strings.HasPrefix(s, "pg_") || slices.Contains([]string{"public", "none", "current_user", "current_role", "session_user"}, s) {
		return fmt.Errorf("is %q, which PostgreSQL reserves; write the name of a role of the platform", s)
	}
	return nil
}

func checkPattern(s string) error {
	if err := plainText(1, maxText)(s); err != nil {
		return err
	}
	if _, err := path.Match(s, ""); err != nil {
		return fmt.Errorf("is %q, which is no pattern; * stands for any characters, ? for one, [a-z] for one of a set", shorten(s))
	}
	return nil
}

func checkExpression(s string) error {
	if err := plainText(1, maxLongText)(s); err != nil {
		return err
	}
	if _, err := regexp.Compile(s); err != nil {
		return fmt.Errorf("is no regular expression: %w; write it as Go has them (RE2)", err)
	}
	return nil
}

// checkURL refuses what cannot be called safely.
func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case len(s) > maxURLBytes:
		return fmt.Errorf("has %d bytes; at most %d are possible", len(s), maxURLBytes)
	case err != nil || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return fmt.Errorf("is no URL; write it like https://directory.example/tenants")
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("has the scheme %q; write https, or http", shorten(u.Scheme))
	case u.Hostname() == "":
		return fmt.Errorf("names no host; write it like https://directory.example/tenants")
	case u.User != nil:
		return fmt.Errorf("has a user or password; requests are signed with the secret, remove it")
	case u.Fragment != "":
		return fmt.Errorf("has a fragment (#...), which is never sent; remove it")
	}
	return nil
}

// between returns a check of a duration.
func between(least, most time.Duration) func(string) error {
	return func(s string) error {
		d, err := time.ParseDuration(s)
		switch {
		case err != nil:
			return fmt.Errorf("is %q; write a duration with its unit, such as 30s or 15m", shorten(s))
		case d < least || d > most:
			return fmt.Errorf("is %s; write %s to %s", plain(d), plain(least), plain(most))
		}
		return nil
	}
}

// plain writes a duration as people do: 2m and not 2m0s.
func plain(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
