package webhook

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// outputName is what names of outputs look like. Terraform reads outputs["name"].
var outputName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,` + strconv.Itoa(tenant.MaxOutputName-1) + `}$`)

// readAnswer says what an answer means for a step or its undo.
func readAnswer(r response, undo bool) (provisioning.StepAnswer, error) {
	a := provisioning.StepAnswer{RetryAfter: r.retryAfter}
	switch {
	case r.status == http.StatusAccepted && r.later: // Also one that cannot be read: the step is not completed.
		a.Pending = true
		return a, nil
	case r.status >= 200 && r.status < 300:
		if undo {
			return a, nil
		}
		var err error
		a.Outputs, err = readOutputs(r)
		return a, err
	case undo && (r.status == http.StatusNotFound || r.status == http.StatusGone):
		return a, nil // The step never reached the receiver, or is undone already.
	case r.status == http.StatusRequestTimeout, r.status == http.StatusTooManyRequests, r.status >= 500:
		return a, errs.Errorf(errs.KindTransient, opSend, "the answer was %s", statusText(r.status))
	case r.status >= 300 && r.status < 400:
		return a, errs.Errorf(errs.KindPermanent, opSend, "the answer was %s, and redirects are not followed; write the final URL into the blueprint", statusText(r.status))
	default:
		return a, errs.Errorf(errs.KindPermanent, opSend, "the answer was %s", statusText(r.status))
	}
}

func statusText(status int) string {
	return strings.TrimSpace(http.StatusText(status) + " (" + strconv.Itoa(status) + ")")
}

// readOutputs reads {"outputs": {"name": "value"}}. An answer that is not JSON has none.
func readOutputs(r response) (tenant.Outputs, error) {
	bad := func(format string, args ...any) error {
		return errs.Errorf(errs.KindPermanent, opSend, "the answer was "+statusText(r.status)+", and "+format, args...)
	}
	switch {
	case r.tooLong:
		return nil, bad("its body has more than %d bytes; answer with the outputs alone", maxAnswerBytes)
	case !r.json || len(bytes.TrimSpace(r.body)) == 0:
		return nil, nil
	}
	var answer struct {
		Outputs map[string]any `json:"outputs"`
	}
	if err := json.Unmarshal(r.body, &answer); err != nil {
		return nil, bad(`its body is not a JSON object; answer {"outputs": {"name": "text"}}, or nothing`)
	}
	outputs := tenant.Outputs{}
	for name, value := range answer.Outputs {
		text, ok := value.(string)
		switch {
		case !outputName.MatchString(name):
			return nil, bad("an output has an invalid name; use 1 to %d letters, digits and _, not beginning with a digit", tenant.MaxOutputName)
		case !ok:
			return nil, bad("the output %s is not a string; write numbers and lists as strings", name)
		case strings.ContainsRune(text, 0):
			return nil, bad("the output %s has a null character, which cannot be stored", name)
		}
		outputs[name] = text
	}
	if n := outputs.Size(); n > tenant.MaxOutputBytes {
		return nil, bad("its outputs have %d bytes; at most %d are kept", n, tenant.MaxOutputBytes)
	}
	return outputs, nil
}
