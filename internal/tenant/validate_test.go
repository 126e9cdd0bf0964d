package tenant_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func TestCheckName(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]string{
		"St. Mary's":                         "",
		"O'Brien & Søn — Klinik":             "",
		"协和医院":                               "",
		"3M Health":                          "",
		"x'); DROP SCHEMA public CASCADE;--": "",
		"  Clinic  ":                         "",
		strings.Repeat("a", 255):             "",
		strings.Repeat("é", 255):             "",
		"":                                   "is empty; give 3 to 255 characters",
		"   ":                                "is empty; give 3 to 255 characters",
		"ab":                                 "has 2 characters; at least 3 are needed",
		strings.Repeat("a", 256):             "has 256 characters; at most 255 are possible",
		"---":                                "has no letter or digit; give the organisation's name",
		"Clinic\nTwo":                        "has a control character (U+000A) at byte 6; remove it",
		"Clinic\x00":                         "has a control character (U+0000) at byte 6; remove it",
		"Clin\u0085ic":                       "has a control character (U+0085) at byte 4; remove it",
		"Clinic\xff":                         "is not valid UTF-8",
	} {
		wantFault(t, name, tenant.CheckName(name), fault)
	}
}

func TestCheckEmail(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 64) + "@" + strings.Repeat("b", 60) + "." + strings.Repeat("c", 60) + "." + strings.Repeat("d", 60) + ".example"
	for address, fault := range map[string]string{
		"ada@clinic.example":           "",
		"o'brien+x@clinic.example":     "",
		"ada@kliník.example":           "",
		"ada@病院.example":               "",
		"":                             "is empty",
		"ada":                          "needs exactly one @",
		"ada@b@clinic.example":         "needs exactly one @",
		"ada@clinic":                   "needs a full domain",
		"@clinic.example":              "needs 1 to 64 characters before the @",
		"a..b@clinic.example":          "beside another dot before the @",
		".a@clinic.example":            "beside another dot before the @",
		"ada@clinic..example":          "beside another dot after the @",
		"ada@-clinic.example":          "starts or ends with a hyphen",
		`"ada"@clinic.example`:         "has a quoted part",
		"ada@clinic.example\r\nBcc: x": "has white space, a line break or a control character",
		" ada@clinic.example":          "has white space",
		"ädä@clinic.example":           "which is not possible there",
		"ada@[127.0.0.1]":              "which no domain can have",
		"ada@clinic_x.example":         "which no domain can have",
		long:                           "at most 254 are possible",
		"ada\xff@clinic.example":       "is not valid UTF-8",
	} {
		wantFault(t, address, tenant.CheckEmail(address), fault)
	}
}

func TestCheckMetadata(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for i := range 65 {
		many[fmt.Sprint(i)] = ""
	}
	for _, c := range []struct {
		metadata map[string]string
		fault    string
	}{
		{nil, ""},
		{map[string]string{"region": "eu", "plan": ""}, ""},
		{many, "has 65 keys; at most 64 are possible"},
		{map[string]string{"": "x"}, "which is empty"},
		{map[string]string{strings.Repeat("k", 64): "x"}, "which has 64 characters; at most 63 are possible"},
		{map[string]string{"k": strings.Repeat("v", 1025)}, `has under key "k" a value that has 1025 characters`},
		{map[string]string{"k": "a\x00b"}, "NUL"},
		{map[string]string{"a\nb": ""}, "control character"},
	} {
		wantFault(t, fmt.Sprint(c.metadata), tenant.CheckMetadata(c.metadata), c.fault)
	}
}

func TestInputs_NormalizeReportsEveryError(t *testing.T) {
	t.Parallel()
	_, err := tenant.Inputs{Name: "x", AdminEmail: "nobody", ExternalID: " k"}.Normalize()
	var fields []string
	for _, f := range errs.FieldsOf(err) {
		fields = append(fields, f.Field)
	}
	if got := strings.Join(fields, " "); got != "name adminEmail adminFirstName adminLastName externalId" {
		t.Errorf("fields %s", got)
	}
	if errs.KindOf(err) != errs.KindInvalid {
		t.Errorf("kind %s", errs.KindOf(err))
	}
}

func TestInputs_NormalizeComposes(t *testing.T) {
	t.Parallel()
	in, err := tenant.Inputs{Name: "  Cafe\u0301 Clinic ", AdminEmail: "a@b.example", AdminFirstName: " A ", AdminLastName: "B"}.Normalize()
	if err != nil || in.Name != "Café Clinic" || in.AdminFirstName != "A" {
		t.Errorf("%+v, %v", in, err)
	}
}

func TestNameKey(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{{"Clinic", "CLINIC"}, {"Søn", "SØN"}, {"Cafe\u0301", "CAFÉ"}, {" Clinic", "clinic"}, {"Στάσις", "ΣΤΆΣΙΣ"}} {
		if tenant.NameKey(pair[0]) != tenant.NameKey(pair[1]) {
			t.Errorf("%q and %q differ", pair[0], pair[1])
		}
	}
	if tenant.NameKey("Clinic A") == tenant.NameKey("Clinic B") {
		t.Error("different names have one key")
	}
	if n := len(tenant.NameKey(strings.Repeat("ŉ", 255))); n > 1020 {
		t.Errorf("a key of %d bytes does not fit its column", n)
	}
}

func wantFault(t *testing.T, value string, err error, fault string) {
	t.Helper()
	switch {
	case fault == "" && err != nil:
		t.Errorf("%q: %v", value, err)
	case fault != "" && (err == nil || !strings.Contains(err.Error(), fault)):
		t.Errorf("%q: error %v, want %q", value, err, fault)
	}
}

func TestInputs_Normalize_Rules(t *testing.T) {
	t.Parallel()
	good := tenant.Inputs{Name: "Clinic", AdminEmail: "a@b.example", AdminFirstName: "A", AdminLastName: "B"}
	for name, c := range map[string]struct {
		change  func(in *tenant.Inputs)
		message string
	}{
		"Direction": {func(in *tenant.Inputs) { in.Name = "ab\u202ecd" }, "name has an invisible character (U+202E) at byte 2; remove it"},
		"NoWidth":   {func(in *tenant.Inputs) { in.AdminLastName = "B\u200b" }, "adminLastName has an invisible character (U+200B) at byte 1; remove it"},
		"Joiner":    {func(in *tenant.Inputs) { in.Name = "می\u200cخواهم" }, ""},
		"ManagedBy": {func(in *tenant.Inputs) { in.ManagedBy = strings.Repeat("x", 256) }, "managedBy has 256 characters; at most 255 are possible"},
		"Control":   {func(in *tenant.Inputs) { in.ManagedBy = "a\nb" }, "managedBy has a control character (U+000A) at byte 1; remove it"},
	} {
		in := good
		c.change(&in)
		_, err := in.Normalize()
		if errs.SafeMessage(err) != c.message {
			t.Errorf("%s: %q", name, errs.SafeMessage(err))
		}
	}
}
