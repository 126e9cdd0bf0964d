package tenant

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// atext are the characters, besides letters and digits, that RFC 5322, 3.2.3 permits in a
// dot-atom.
const atext = "!#$%&'*+-/=?^_`{|}~"

// CheckEmail returns an error that says what is wrong with an address. It accepts a
// dot-atom local part (RFC 5322) of ASCII at most 64 bytes long and a domain of at least
// two labels, which may be international (IDN), 254 bytes in all. Quoted local parts,
// comments and address literals are refused: mail systems disagree on them.
func CheckEmail(address string) error {
	switch {
	case address == "":
		return fmt.Errorf("is empty; give an address such as admin@clinic.example")
	case !utf8.ValidString(address):
		return fmt.Errorf("is not valid UTF-8")
	case strings.ContainsFunc(address, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }):
		return fmt.Errorf("has white space, a line break or a control character; remove it")
	case len(address) > MaxEmailBytes:
		return fmt.Errorf("has %d bytes; at most %d are possible", len(address), MaxEmailBytes)
	case strings.ContainsAny(address, `"\`):
		return fmt.Errorf("has a quoted part; remove the quotes")
	case strings.Count(address, "@") != 1:
		return fmt.Errorf("needs exactly one @, as in admin@clinic.example")
	}
	local, domain, _ := strings.Cut(address, "@")
	if err := checkLocalPart(local); err != nil {
		return err
	}
	return checkDomain(domain)
}

func checkLocalPart(local string) error {
	if local == "" || len(local) > maxEmailLocalBytes {
		return fmt.Errorf("needs 1 to %d characters before the @", maxEmailLocalBytes)
	}
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" {
			return fmt.Errorf("has a dot at the start, the end or beside another dot before the @")
		}
		for _, r := range atom {
			if !isASCIIAlnum(r) && !strings.ContainsRune(atext, r) {
				return fmt.Errorf("has %q before the @, which is not possible there", r)
			}
		}
	}
	return nil
}

func checkDomain(domain string) error {
	labels := strings.Split(domain, ".")
	if len(labels) < 2 {
		return fmt.Errorf("needs a full domain after the @, as in clinic.example")
	}
	for _, label := range labels {
		switch {
		case label == "":
			return fmt.Errorf("has a dot at the start, the end or beside another dot after the @")
		case len(label) > maxDomainLabelBytes:
			return fmt.Errorf("has a part of %d bytes after the @; at most %d are possible", len(label), maxDomainLabelBytes)
		case label[0] == '-', label[len(label)-1] == '-':
			return fmt.Errorf("has a part that starts or ends with a hyphen after the @")
		}
		for _, r := range label {
			if r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
				return fmt.Errorf("has %q after the @, which no domain can have", r)
			}
		}
	}
	return nil
}

func isASCIIAlnum(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
