package validate

import (
	"strings"
	"testing"
)

func TestHasLoneSurrogate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`\ud83d\ude00`: false, `\ud83d`: true, `\ude00`: true, `\ud83d\u0041`: true, `\ud83dx`: true, `\\ud83d`: false, `\\\ud83d`: true, `\uD83D\uDE00\uD83D`: true, `\u0041`: false, `\`: false, `\u`: false,
		`\ud83d\\ude00`: true, `a\ud83d\ude00b\ud83d\ude00`: false, ``: false, `\n\ud83d\ude00`: false,
	} {
		if got := hasLoneSurrogate([]byte(text)); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

func TestQuoteName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"a": "a", "a\nb\x00": "a\uFFFDb\uFFFD", "\xff": "\uFFFD", strings.Repeat("ä", 65): strings.Repeat("ä", 64) + "…", strings.Repeat("ä", 64): strings.Repeat("ä", 64)} {
		if got := quoteName(name); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
