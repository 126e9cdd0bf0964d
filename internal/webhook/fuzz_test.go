package webhook_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/webhook"
)

// FuzzAnswer: whatever a receiver answers, a step is completed with outputs that can be stored,
// is repeated, or fails with a message for people.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{"", "null", "[]", `{"outputs": {"a": "b"}}`, `{"outputs": {"a": 7}}`, `{"outputs": null}`, `{"outputs": {"a\u0000": "\u0000"}}`, `{"outputs": {"a": "\ud800"}}`, "{\"outputs\": {\"a\": \"\xff\"}}"} {
		f.Add(200, []byte(body), false)
	}
	f.Add(404, []byte("x"), true)
	f.Add(-1, []byte("{}"), false)
	f.Fuzz(func(t *testing.T, status int, body []byte, undo bool) {
		a, err := webhook.ReadJSON(status, body, undo)
		if err != nil {
			if kind := errs.KindOf(err); kind != errs.KindPermanent && kind != errs.KindTransient || errs.SafeMessage(err) == "" || a.Outputs != nil {
				t.Errorf("%v, %d outputs", err, len(a.Outputs))
			}
			return
		}
		if a.Outputs.Size() > tenant.MaxOutputBytes {
			t.Error("too many bytes")
		}
		for name, value := range a.Outputs {
			if encoded, err := json.Marshal(value); err != nil || strings.Contains(name+value, "\x00") || strings.Contains(string(encoded), `\u0000`) && !strings.Contains(value, `\u0000`) {
				t.Errorf("%q: %q cannot be stored", name, value)
			}
		}
	})
}
