package tenant_test

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func TestNameKey(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"Clinic", "CLINIC"}, {"Søn", "SØN"}, {"Cafe\u0301", "CAFÉ"}, {" Clinic", "clinic"}, {"Στάσις", "ΣΤΆΣΙΣ"}, {"Straße 3", "STRASSE 3"},
		{"Clinic A", "Clinic\u00a0A"}, {"Clinic A", "Clinic \u2003 A"}, {"Clinic A", "Clinic\u2800A"}, {"Clinic A", "Clinic A\u00a0"},
		{"Clinic A", "Clinic\U000E0041 A"}, {"Clinic A", "Cli\u034fnic A"}, {"Clinic A", "Clinic \u200dA\ufe0f"}, {"Clinic A", "Clinic\u3164 A"},
		{"Clinic A", "Ｃｌｉｎｉｃ　Ａ"}, {"Clinic A", "𝐂𝐥𝐢𝐧𝐢𝐜 𝐀"}, {"ﬁrst", "first"},
	} {
		if tenant.NameKey(pair[0]) != tenant.NameKey(pair[1]) {
			t.Errorf("%q and %q differ: %q, %q", pair[0], pair[1], tenant.NameKey(pair[0]), tenant.NameKey(pair[1]))
		}
	}
	for _, pair := range [][2]string{{"Clinic A", "Clinic B"}, {"Clinic A", "ClinicA"}, {"Ward 1", "Ward I"}, {"Klinik Köln", "Klinik Koln"}} {
		if tenant.NameKey(pair[0]) == tenant.NameKey(pair[1]) {
			t.Errorf("%q and %q have one key", pair[0], pair[1])
		}
	}
}

func TestNameLook(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b       string
		confusable bool
	}{
		{"Clinic A", "Сlinic A", true}, // U+0421.
		{"Clinic A", "Clinic А", true}, // U+0410.
		{"Clinic A", "CLІNIC A", true}, // U+0406.
		{"clinic a", "СLINIC A", true},
		{"HOSPITAL", "Нospital", true}, // U+041D, whose small letter is no h.
		{"medical center", "Мedical center", true},
		{"Clinic\u00a0A", "\u034fСlinic  A", true},
		{"AMBEX", "ΑΜΒΕΧ", true},                      // Greek letters only.
		{"Ward 1", "Ward І", true},                    // U+0406.
		{"Ward 111", "Ward \u0661\u0661\u0661", true}, // Arabic digits.
		{"Ward 1", "Ward I", false},
		{"Ward 0", "WARD O", false},
		{"Клиника З", "Клиника 3", false}, // One script.
		{"Clinic А", "Сlinic A", true},    // Both have Cyrillic and Latin letters.
		{"Clinic A", "Clinic B", false},
		{"Клиника", "Clinic", false},
	} {
		if got := tenant.LookOf(c.a).ConfusableWith(tenant.LookOf(c.b)); got != c.confusable {
			t.Errorf("%q and %q: confusable is %v", c.a, c.b, got)
		}
		if tenant.LookOf(c.a).ConfusableWith(tenant.LookOf(c.b)) != tenant.LookOf(c.b).ConfusableWith(tenant.LookOf(c.a)) {
			t.Errorf("%q and %q: it depends on the order", c.a, c.b)
		}
	}
}

func TestCheckName_WhatCanBeSeen(t *testing.T) {
	t.Parallel()
	wantFault(t, "Hangul fillers", tenant.CheckName("\u3164\u3164\u3164"), "has no letter or digit")
	wantFault(t, "tags", tenant.CheckName("\U000E0041\U000E0042\U000E0043"), "has no letter or digit")
	wantFault(t, "ligatures", tenant.CheckName(strings.Repeat("ﷺ", 255)), "characters that stand for more than one, with which it has 8415 bytes; at most 1020 are possible")
	wantFault(t, "letters of four bytes", tenant.CheckName(strings.Repeat("𠀀", 255)), "")
}
