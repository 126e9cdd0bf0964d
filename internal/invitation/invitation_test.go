package invitation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
)

func TestParseToken(t *testing.T) {
	t.Parallel()
	made := invitation.NewInvitation(time.Now().Add(invitation.DefaultTTL))
	token := made.Token()
	if hash, ok := invitation.ParseToken(token); !ok || hash != made.Hash {
		t.Errorf("%x, %t, want %x", hash, ok, made.Hash)
	}
	for _, text := range []string{
		"", token[1:], token + "A", token[:42] + "=", token[:42] + "\n", token[:42] + "+", token[:41] + "é", " " + token[1:], strings.Repeat("\x00", 43),
		token[:42] + "B", // Its last bits are none of 32 bytes.
	} {
		if _, ok := invitation.ParseToken(text); ok && text != token {
			t.Errorf("%q is a token", text)
		}
	}
}
