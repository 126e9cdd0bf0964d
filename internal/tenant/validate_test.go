package tenant_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

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

func TestCheckLocale(t *testing.T) {
	t.Parallel()
	for tag, fault := range map[string]string{
		"de": "", "de-AT": "", "DE-at": "", "gsw": "", "zh-Hant-TW": "", "sl-rozaj-biske": "",
		"":                                "is no BCP 47 tag",
		"deutsch":                         `is "deutsch", which is no BCP 47 tag of a known language; give one like de or de-AT`,
		"xx":                              "is no BCP 47 tag",
		"de_AT":                           "is no BCP 47 tag",
		"de-":                             "is no BCP 47 tag",
		"de-AT\r\nBcc: x@y.example":       "is no BCP 47 tag",
		"de" + strings.Repeat("-1996", 8): "is no BCP 47 tag",
	} {
		wantFault(t, tag, tenant.CheckLocale(tag), fault)
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
	_, err := tenant.Inputs{Name: "x", AdminEmail: "nobody", ExternalID: " k", Locale: "xx"}.Normalize()
	var fields []string
	for _, f := range errs.FieldsOf(err) {
		fields = append(fields, f.Field)
	}
	if got := strings.Join(fields, " "); got != "name adminEmail adminFirstName adminLastName externalId locale" {
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

		"Blueprint":        {func(in *tenant.Inputs) { in.Blueprint = "Clinic" }, `blueprint is "Clinic"; write lower-case letters, digits, _ and -, the first a letter`},
		"LongBlueprint":    {func(in *tenant.Inputs) { in.Blueprint = strings.Repeat("x", 64) }, "blueprint has 64 bytes; at most 63 are possible"},
		"LongestBlueprint": {func(in *tenant.Inputs) { in.Blueprint = strings.Repeat("x", 61) + "_-" }, ""},
		"Variables":        {func(in *tenant.Inputs) { in.Variables = map[string]string{"_a1": "", "b": strings.Repeat("é", 5000)} }, ""},
		"VariableName":     {func(in *tenant.Inputs) { in.Variables = map[string]string{"1a": ""} }, `variables has a key that is "1a"; write lower-case letters, digits and _, the first no digit`},
		"VariableEmpty":    {func(in *tenant.Inputs) { in.Variables = map[string]string{"": ""} }, `variables has a key that is ""; write lower-case letters, digits and _, the first no digit`},
		"LongVariableName": {func(in *tenant.Inputs) { in.Variables = map[string]string{strings.Repeat("x", 64): ""} }, "variables has a key that has 64 bytes; at most 63 are possible"},
		"LongVariable":     {func(in *tenant.Inputs) { in.Variables = map[string]string{"a": strings.Repeat("x", 10001)} }, `variables has under key "a" a value of 10001 bytes; at most 10000 are possible`},
		"VariableUTF8":     {func(in *tenant.Inputs) { in.Variables = map[string]string{"a": "\xff"} }, `variables has under key "a" a value that is not valid UTF-8`},
		"VariableNUL":      {func(in *tenant.Inputs) { in.Variables = map[string]string{"a": "\x00"} }, `variables has under key "a" a value with a NUL character; remove it`},
		"ManyVariables":    {func(in *tenant.Inputs) { in.Variables = keys(65) }, "variables has 65 keys; at most 64 are possible"},
		"MostVariables":    {func(in *tenant.Inputs) { in.Variables = keys(64) }, ""},
	} {
		in := good
		c.change(&in)
		_, err := in.Normalize()
		if errs.SafeMessage(err) != c.message {
			t.Errorf("%s: %q", name, errs.SafeMessage(err))
		}
	}
}

// keys is a map of that many variables.
func keys(n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[fmt.Sprintf("v%d", i)] = "a"
	}
	return m
}

func TestInputs_Blueprint(t *testing.T) {
	t.Parallel()
	good := tenant.Inputs{Name: "Clinic", AdminEmail: "a@b.example", AdminFirstName: "A", AdminLastName: "B"}
	in, err := good.Normalize()
	if err != nil || in.Blueprint != tenant.StandardBlueprint || !in.Equal(good) {
		t.Errorf("without a name: %q, %v", in.Blueprint, err)
	}
	for name, change := range map[string]func(in *tenant.Inputs){
		"Blueprint": func(in *tenant.Inputs) { in.Blueprint = "clinic" },
		"Variables": func(in *tenant.Inputs) { in.Variables = map[string]string{"region": ""} },
	} {
		other := good
		change(&other)
		if other.Equal(good) || good.Equal(other) {
			t.Errorf("%s is not compared", name)
		}
		draft, err := tenant.NewDraft(other, time.Now())
		if err != nil || !draft.Equal(other) {
			t.Errorf("%s: %+v, %v", name, draft, err)
		}
	}
}
