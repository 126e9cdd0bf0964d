package webhook

import "github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"

// ReadJSON reads an answer with that status and a JSON body, for fuzzing.
func ReadJSON(status int, body []byte, undo bool) (provisioning.StepAnswer, error) {
	return readAnswer(response{status: status, json: true, body: body}, undo)
}
