package tenant_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func TestCheckPassword(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ password, fault string }{
		{"twelve chars", ""},
		{"パスワードは十二文字です!", ""},
		{"  blanks are the caller's  ", ""},
		{strings.Repeat("ä", 256), ""},
		{"", "is empty; give 12 to 256 characters"},
		{"eleven char", "has 11 characters; at least 12 are needed"},
		{strings.Repeat("ä", 257), "has 257 characters; at most 256 are possible"},
		{"twelve\nchars", "has a line break or another control character; remove it"},
		{"twelve\u2028chars", "has a line break"},
		{"twelve\x00chars", "control character"},
		{"twelve\u0085chars", "control character"},
		{"twelve chars\xff", "is not valid UTF-8"},
		{"my ADA@clinic.example", "has the admin's e-mail address in it"},
	} {
		err := tenant.CheckPassword(c.password, " ada@Clinic.example")
		wantFault(t, c.password, err, c.fault)
		if err != nil && len(c.password) > 0 && strings.Contains(err.Error(), c.password) {
			t.Errorf("the message contains the password: %v", err)
		}
	}
	if err := tenant.CheckPassword("ada@clinic.example", ""); err != nil {
		t.Errorf("without an address: %v", err)
	}
}

func TestPassword_IsHidden(t *testing.T) {
	t.Parallel()
	const secret = "correct horse battery staple"
	in := tenant.Inputs{Name: "Clinic", AdminPassword: secret}
	nested := struct {
		Draft tenant.Draft
		Patch provisioning.Patch
		Plain tenant.Password
	}{tenant.Draft{Inputs: in}, provisioning.Patch{AdminPassword: secret}, secret}

	var shown strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T %[1]v", "%10.3v"} {
		for _, v := range []any{in, nested, in.AdminPassword, &in.AdminPassword, []tenant.Password{secret}, map[string]any{"p": in.AdminPassword}, &nested, nested.Draft, &nested.Draft} {
			_, _ = fmt.Fprintf(&shown, verb, v)
		}
	}
	text, err := json.Marshal(map[string]any{"in": in, "nested": nested})
	if err != nil {
		t.Fatal(err)
	}
	shown.Write(text)
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("x", "in", in, "password", in.AdminPassword, "nested", nested, "error", errors.New(in.AdminPassword.String()))
	}
	shown.Write(log.Bytes())
	for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), "horse"} {
		if strings.Contains(shown.String(), form) {
			t.Errorf("%q is printed", form)
		}
	}
	if !strings.Contains(shown.String(), "[password]") || in.AdminPassword.Reveal() != secret {
		t.Error("the output does not show that a password is set")
	}
}

func TestInputs_Password(t *testing.T) {
	t.Parallel()
	good := tenant.Inputs{Name: "Clinic", AdminEmail: "a@b.example", AdminFirstName: "A", AdminLastName: "B"}
	with := good
	with.AdminPassword = " correct horse "
	if !good.Equal(with) || !with.Equal(good) {
		t.Error("passwords are compared")
	}
	one, _ := json.Marshal(good)
	two, _ := json.Marshal(with)
	if !bytes.Equal(one, two) {
		t.Errorf("an encoding depends on the password: %s, %s", one, two)
	}
	if got, err := with.Normalize(); err != nil || got.AdminPassword != with.AdminPassword {
		t.Errorf("%v", err)
	}
	with.AdminPassword = "short"
	_, err := with.Normalize()
	if f := errs.FieldsOf(err); len(f) != 1 || f[0].Field != "adminPassword" || f[0].Message != "has 5 characters; at least 12 are needed" {
		t.Errorf("%+v", f)
	}
}
