package api

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/validate"
)

// FuzzReadObject compares the strict reader with encoding/json: what the strict reader
// accepts, encoding/json accepts too, with the same result.
func FuzzReadObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"name":"Clinic","metadata":{"a":"b"}}`, `{"name":"\ud83d\ude00\\ud800"}`, `{"name":"\ud800"}`, `{"name":1,"name":2}`, `{"Name":"x"}`, `[{}]`, `{"a":{"a":[`, "{\"\xff\":1}", `{"metadata":{"a":"1","a":"2"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var b createBody
		if err := validate.JSON.Unmarshal(data, &b); err != nil {
			t.Fatal(err)
		}
		faults := b.Errors
		for _, fault := range faults {
			if fault.Field == "" && fault.Message == "" || len(fault.Field) > 4*64+64 {
				t.Errorf("fault %+v", fault)
			}
		}
		if faults != nil {
			return
		}
		var lenient createBody
		if err := json.Unmarshal(data, &lenient); err != nil {
			t.Fatalf("taken, and no JSON: %v", err)
		}
		strict, _ := json.Marshal(b)
		again, _ := json.Marshal(lenient)
		if string(strict) != string(again) {
			t.Errorf("%s, and encoding/json reads %s", strict, again)
		}
	})
}

// FuzzParseCondition searches for texts that break the parser.
func FuzzParseCondition(f *testing.F) {
	for _, seed := range []string{``, `*`, `"1"`, `W/"1", "2"`, `"1" "2"`, `"`, `W/`, `,`, `"a b"`, `"1",,"2"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCondition("If-Match", text)
		if err != nil {
			return
		}
		for _, version := range c.versions {
			if !c.matches(version) || !strings.Contains(text, etag(version)) {
				t.Errorf("%q: %+v", text, c)
			}
		}
	})
}
