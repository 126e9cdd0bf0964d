package tenant_test

import (
	"net/mail"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// FuzzCheckName: an accepted name is stored as it is compared, and two spellings that
// compare as equal stay equal.
func FuzzCheckName(f *testing.F) {
	for _, seed := range []string{"PG Clinic", " St. Mary's ", "协和医院", "e\u0301cole", "ﬁ clinic", "İstanbul", "ß", "\u200b\u200b\u200b", "a\u0301\u0301\u0301",
		"Ünï\u00a0\u2003Clinic", "Сlinic А", "\u1100\u115f\u1161", "a\u034f\u0301b", "\u03b1\u0345\u0301x", "ﷺ ward"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		stored := tenant.NormalizeName(name)
		if again := tenant.NormalizeName(stored); again != stored {
			t.Errorf("%q is stored as %q, and that as %q", name, stored, again)
		}
		if tenant.CheckName(name) != nil {
			return
		}
		if err := tenant.CheckName(stored); err != nil {
			t.Errorf("%q is accepted, its stored form %q is not: %v", name, stored, err)
		}
		if key := tenant.NameKey(name); key == "" || key != tenant.NameKey(stored) || key != tenant.NameKey(key) {
			t.Errorf("%q has the key %q, its stored form %q, and the key itself %q", name, key, tenant.NameKey(stored), tenant.NameKey(key))
		}
		if a, b := tenant.LookOf(name), tenant.LookOf(stored); string(a.Skeleton) != string(b.Skeleton) || a.Scripts != b.Scripts {
			t.Errorf("%q and its stored form %q look different", name, stored)
		}
	})
}

// FuzzCheckEmail: an accepted address is one address for a mail program, too, and cannot
// add a header.
func FuzzCheckEmail(f *testing.F) {
	for _, seed := range []string{"ada@clinic.example", "a.b+c@klinik.münchen.example", "a@b.example\r\nBcc: x", `"a b"@c.example`, "a@[127.0.0.1]", "a@-b.example", "a@b..example", "\xff@b.example"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if tenant.CheckEmail(address) != nil {
			return
		}
		parsed, err := mail.ParseAddress(address)
		if err != nil || parsed.Address != address || strings.ContainsAny(address, "\r\n ") {
			t.Errorf("%q is accepted, and read as %v, %v", address, parsed, err)
		}
	})
}
