package mailcatcher_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
)

// expectedResponse is a complete response.
type expectedResponse struct {
	status       int
	path, policy string // The path after redirects, and its content security policy.
}

// call makes a request; change modifies it, and may be nil.
func call(t *testing.T, method, url string, change func(*http.Request)) (expectedResponse, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return expectedResponse{response.StatusCode, response.Request.URL.Path, response.Header.Get("Content-Security-Policy")}, string(body)
}

func TestWeb_Messages(t *testing.T) {
	t.Parallel()
	c := start(t, mailcatcher.Options{})
	if _, body := call(t, http.MethodGet, c.URL()+"/messages", nil); strings.TrimSpace(body) != "[]" {
		t.Errorf("an empty list is %q, want []", body)
	}
	if err := send(c, nil, simpleMessage); err != nil {
		t.Fatal(err)
	}
	_, body := call(t, http.MethodGet, c.URL()+"/messages", nil)
	var got []map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil || len(got) != 1 {
		t.Fatalf("error %v in %s", err, body)
	}
	for key, want := range map[string]string{"from": "ann@sender.example", "subject": "Hello", "text": "First line\n.second\n", "html": "", "messageId": "1@sender.example"} {
		if got[0][key] != want {
			t.Errorf("%s is %q, want %q", key, got[0][key], want)
		}
	}
	if to, ok := got[0]["to"].([]any); !ok || len(to) != 2 || to[0] != "one@clinic.example" {
		t.Errorf("to is %v", got[0]["to"])
	}
	if _, raw := call(t, http.MethodGet, c.URL()+"/messages/1/raw", nil); raw != simpleMessage {
		t.Errorf("raw is %q", raw)
	}
	if answer, _ := call(t, http.MethodGet, c.URL()+"/messages/7/raw", nil); answer.status != http.StatusNotFound {
		t.Errorf("unknown message: %d", answer.status)
	}
	if answer, _ := call(t, http.MethodDelete, c.URL()+"/messages", nil); answer.status != http.StatusNoContent || len(c.Messages()) != 0 {
		t.Errorf("delete: %d, %d messages left", answer.status, len(c.Messages()))
	}
}

func TestWeb_Page(t *testing.T) {
	t.Parallel()
	c := start(t, mailcatcher.Options{})
	if _, body := call(t, http.MethodGet, c.URL()+"/", nil); !strings.Contains(body, "No mail yet") {
		t.Errorf("the empty page: %s", body)
	}
	content := "Subject: <script>alert(1)</script>\r\nContent-Type: text/html\r\n\r\n<a href=\"https://x.example\" onclick='evil()'>link</a><script>alert(2)</script>\r\n"
	if err := send(c, nil, content); err != nil {
		t.Fatal(err)
	}
	answer, body := call(t, http.MethodGet, c.URL()+"/", nil)
	if strings.Contains(body, "<script") || !strings.Contains(body, "&lt;script&gt;alert(1)") {
		t.Errorf("the page is not escaped:\n%s", body)
	}
	if !strings.Contains(body, `sandbox="allow-popups`) || !strings.Contains(body, `srcdoc="&lt;a href=&#34;https://x.example`) {
		t.Errorf("the HTML is not in a sandboxed frame:\n%s", body)
	}
	if got := answer.policy; !strings.HasPrefix(got, "default-src 'none'") {
		t.Errorf("policy %q lets the page load things", got)
	}
	for _, outside := range []string{`src="http`, `<link`, `@import`, `url(`} {
		if strings.Contains(body, outside) {
			t.Errorf("the page loads from elsewhere: %q", outside)
		}
	}
}

func TestWeb_RejectsForeignOrigins(t *testing.T) {
	t.Parallel()
	c := start(t, mailcatcher.Options{})
	if err := send(c, nil, simpleMessage); err != nil {
		t.Fatal(err)
	}
	rebound := func(r *http.Request) { r.Host = "attacker.example" }
	if answer, body := call(t, http.MethodGet, c.URL()+"/messages", rebound); answer.status != http.StatusForbidden {
		t.Errorf("a foreign host name reads mail: %d %s", answer.status, body)
	}
	foreign := func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }
	if answer, _ := call(t, http.MethodPost, c.URL()+"/empty", foreign); answer.status != http.StatusForbidden || len(c.Messages()) != 1 {
		t.Errorf("a foreign site empties the catcher: %d", answer.status)
	}
	if answer, _ := call(t, http.MethodPost, c.URL()+"/empty", nil); answer.path != "/" || len(c.Messages()) != 0 {
		t.Errorf("the page's own button: %d at %s", answer.status, answer.path)
	}
}
