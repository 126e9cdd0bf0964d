package access

import (
	"strings"
	"testing"
)

// FuzzParseToken: what is accepted is a token in its only form.
func FuzzParseToken(f *testing.F) {
	for _, seed := range []string{"", "hck_", "hck_aaaaaaaaaaaa." + strings.Repeat("A", secretLength), newToken().text(), "hck_aaaaaaaaaaa\x00." + strings.Repeat("A", secretLength)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if token, ok := parseToken(text); ok && token.text() != text {
			t.Errorf("%q is read as %q", text, token.text())
		}
	})
}
