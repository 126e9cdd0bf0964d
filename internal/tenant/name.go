package tenant

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/confusables"
)

// maxNameKey is the most bytes of a NameKey: one character of a name can stand for eighteen.
const maxNameKey = 1020

// NormalizeName is the form in which names are stored: trimmed, NFC.
func NormalizeName(s string) string { return norm.NFC.String(strings.TrimSpace(s)) }

// NameKey is the key by which names are compared, ignoring case and what cannot be seen: Unicode's
// NFKC case folding without default-ignorable characters, white space as one space. It is computed
// here and not by the database, where case depends on the collation.
func NameKey(name string) string { return untilStable(name, foldVisible) }

func foldVisible(name string) string { return visible(cases.Fold().String(visible(name))) }

// visible is what can be seen of a name: NFKC without default-ignorable characters, white space as
// one space, none at the ends.
func visible(name string) string {
	shown := strings.Map(func(r rune) rune {
		if confusables.IsIgnorable(r) {
			return -1
		}
		return r
	}, norm.NFKC.String(name))
	return norm.NFKC.String(strings.Join(strings.FieldsFunc(shown, isBlank), " "))
}

// isBlank reports white space, and the Braille pattern without dots, which is the space of a text
// in Braille.
func isBlank(r rune) bool { return unicode.IsSpace(r) || r == '\u2800' }

// untilStable applies a change until it changes nothing: removing a character can bring together
// others that compose, and case folding can make some that NFKC changes. Each pass but the last
// makes progress, so few are needed; the limit is for what nobody foresaw.
func untilStable(s string, change func(string) string) string {
	for range 8 {
		next := change(s)
		if next == s {
			break
		}
		s = next
	}
	return s
}

// NameLook is how a name looks, for comparison with names in other scripts.
type NameLook struct {
	// Skeleton is the SHA-256 of the skeleton of Unicode Technical Standard 39, so that names in any
	// case compare: a name in capitals looks like one with capital letters of another script.
	Skeleton []byte
	// Scripts are the scripts that the name is written in, with spaces in between. All names in ASCII
	// have the same.
	Scripts string
}

// LookOf returns how a name looks.
func LookOf(name string) NameLook {
	shown := untilStable(name, visible)
	// A capital letter can look like a capital of another script whose small letters differ, so the
	// skeleton is made before folding, and again after it. What looks like the capital I looks
	// like the small l, so i, which is I in capitals, counts as l.
	folded := confusables.Skeleton(cases.Fold().String(confusables.Skeleton(shown)))
	sum := sha256.Sum256([]byte(strings.ReplaceAll(folded, "i", "l")))
	look := NameLook{Skeleton: sum[:], Scripts: "Latin"}
	if strings.ContainsFunc(shown, func(r rune) bool { return r > unicode.MaxASCII }) {
		look.Scripts = strings.Join(confusables.Scripts(shown), " ")
	}
	return look
}

// ConfusableWith reports whether two names with different keys look alike through letters of
// different scripts. Those of names with several scripts can be in different places.
func (l NameLook) ConfusableWith(other NameLook) bool {
	return string(l.Skeleton) == string(other.Skeleton) && (l.Scripts != other.Scripts || strings.Contains(l.Scripts, " "))
}

// CheckName returns an error that says what is wrong with a tenant's (normalized) name.
func CheckName(name string) error {
	name = NormalizeName(name)
	if err := checkText(name, MinNameLength, MaxNameLength); err != nil {
		return err
	}
	key := NameKey(name)
	if !strings.ContainsFunc(key, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
		return fmt.Errorf("has no letter or digit; give the organisation's name")
	}
	if len(key) > maxNameKey {
		return fmt.Errorf("has ligatures or other characters that stand for more than one, with which it has %d bytes; at most %d are possible; write them as single letters, and fewer of them", len(key), maxNameKey)
	}
	return nil
}
