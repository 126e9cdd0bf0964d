package confusables

import (
	"slices"
	"strings"
	"testing"
)

func TestTable_IsComplete(t *testing.T) {
	t.Parallel()
	found, err := parse(table)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 6565 { // As the last line of Unicode's file says.
		t.Errorf("%d mappings", len(found))
	}
	if found['с'] != "c" || found['m'] != "rn" {
		t.Errorf("the Cyrillic с looks like %q, m like %q", found['с'], found['m'])
	}
}

func TestParse_RejectsDamage(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"0041", "0041;", "0041 0042;0043", "G;0041", "0041;XYZ", "110000000;0041"} {
		if _, err := parse(line + "\n"); err == nil {
			t.Errorf("%q is accepted", line)
		}
	}
}

func TestSkeleton(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"paypal", "раураӏ"},          // The example of UTS 39: Cyrillic letters.
		{"Clinic A", "Сlіnіс А"},      // Cyrillic letters.
		{"Clinic A", "Clinic\u00a0A"}, // A no-break space.
		{"Clinic", "Cli\u200dnic\ufe0f"},
		{"Ward 1", "Ward I"},
		{"modern", "rnodern"},
		{"Ελπίς", "Ελπίς"},
	} {
		if Skeleton(pair[0]) != Skeleton(pair[1]) {
			t.Errorf("%q and %q have the skeletons %q and %q", pair[0], pair[1], Skeleton(pair[0]), Skeleton(pair[1]))
		}
	}
	if Skeleton("Clinic A") == Skeleton("Clinic B") {
		t.Error("different texts have one skeleton")
	}
}

func TestScripts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Clinic 1": "Latin", "Сlinic": "Cyrillic Latin", "Клиника": "Cyrillic", "協和ビョウいん": "Han Hiragana Katakana",
		"12 - 3": "", "e\u0301cole": "Latin", "": "",
	} {
		if got := strings.Join(Scripts(text), " "); got != want {
			t.Errorf("%q is written in %q, want %q", text, got, want)
		}
	}
}

func TestIsIgnorable(t *testing.T) {
	t.Parallel()
	for _, r := range []rune{0x00AD, 0x034F, 0x061C, 0x115F, 0x180E, 0x200B, 0x200D, 0x202E, 0x2060, 0x3164, 0xFE0F, 0xFEFF, 0xE0041, 0xE0100} {
		if !IsIgnorable(r) {
			t.Errorf("U+%04X can be seen", r)
		}
	}
	if seen := []rune{'a', ' ', 0x00A0, 0x0301, 0x0600, 0xFFF9, 0x13430}; slices.ContainsFunc(seen, IsIgnorable) {
		t.Error("one of the characters that are seen is ignorable")
	}
}
