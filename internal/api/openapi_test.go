package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
)

// bodyProperties returns the properties of an operation's JSON body, nil if it has none.
func bodyProperties(document any, path, method string) map[string]any {
	schema := child(document, "paths", path, method, "requestBody", "content", "application/json", "schema")
	if ref, ok := child(schema, "$ref").(string); ok {
		schema = child(document, "components", "schemas", strings.TrimPrefix(ref, "#/components/schemas/"))
	}
	properties, _ := child(schema, "properties").(map[string]any)
	return properties
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	text, err := api.OpenAPI("1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	t.Run("IsDeterministic", func(t *testing.T) {
		t.Parallel()
		again, err := api.OpenAPI("1.2.3")
		if err != nil || !bytes.Equal(again, text) || !bytes.HasSuffix(text, []byte("}\n")) || !bytes.Contains(text, []byte("\n  \"components\"")) {
			t.Errorf("not stable or not indented: %v", err)
		}
	})
	t.Run("MatchesServedDocument", func(t *testing.T) {
		b := setupWith(t, serverOptions{Options: api.Options{Version: "1.2.3"}})
		got := b.do(http.MethodGet, "/openapi.json", nil).want(http.StatusOK)
		var indented bytes.Buffer
		if err := json.Indent(&indented, []byte(got.text), "", "  "); err != nil || !bytes.Equal(bytes.TrimSpace(indented.Bytes()), bytes.TrimSpace(text)) {
			t.Errorf("it differs: %v", err)
		}
		if got.header.Get("Content-Type") != "application/json" || len(got.text) >= len(text) {
			t.Errorf("%v, %d bytes", got.header, len(got.text))
		}
	})
	t.Run("LimitsEachTextOfATenant", func(t *testing.T) {
		t.Parallel()
		for path, method := range map[string]string{"/admin/tenants": "post", "/admin/tenants/{id}": "patch"} {
			properties := bodyProperties(document, path, method)
			if len(properties) == 0 {
				t.Errorf("%s %s has no properties", method, path)
			}
			for name, property := range properties {
				if strings.Contains(fmt.Sprint(child(property, "type")), "string") && child(property, "maxLength") == nil {
					t.Errorf("%s %s: %s has no maxLength: see openapi.AddTenantRules", method, path, name)
				}
			}
		}
	})
	t.Run("HasTheRuleOfEachReason", func(t *testing.T) {
		t.Parallel()
		found := 0
		for path, item := range as[map[string]any](document["paths"]) {
			for method := range as[map[string]any](item) {
				reason := bodyProperties(document, path, method)["reason"]
				if reason == nil {
					continue
				}
				found++
				if child(reason, "minLength") == nil || child(reason, "maxLength") == nil || child(reason, "pattern") == nil {
					t.Errorf("%s %s: %v; see openapi.AddReasonRule", method, path, reason)
				}
			}
		}
		if found < 4 {
			t.Errorf("%d bodies with a reason", found)
		}
	})
	t.Run("DescribesEveryOperation", func(t *testing.T) {
		t.Parallel()
		if document["openapi"] != "3.1.0" || child(document, "info", "version") != "1.2.3" {
			t.Errorf("%v %v", document["openapi"], document["info"])
		}
		for path, item := range as[map[string]any](document["paths"]) {
			for method, op := range as[map[string]any](item) {
				call := method + " " + path
				responses := as[map[string]any](child(op, "responses"))
				for _, name := range []string{"summary", "operationId", "tags"} {
					if child(op, name) == nil {
						t.Errorf("%s has no %s", call, name)
					}
				}
				wanted := []string{"400", "500"}
				if guarded := strings.HasPrefix(path, "/admin") || strings.HasPrefix(path, "/jobs"); guarded {
					wanted = append(wanted, "401", "403", "429", "503")
				} else if child(op, "security", "0", "bearer") != nil {
					t.Errorf("%s wants a key", call)
				}
				if child(op, "requestBody") != nil {
					wanted = append(wanted, "413", "415")
					for media, body := range as[map[string]any](child(op, "requestBody", "content")) {
						if !strings.HasSuffix(media, "json") {
							continue // A tar has no example.
						}
						example, _ := json.Marshal(child(body, "example"))
						if err := loadSpec().validate(example, "paths", path, method, "requestBody", "content", media, "schema"); err != nil {
							t.Errorf("%s: the example does not fit: %v", call, err)
						}
					}
				}
				for _, status := range wanted {
					if responses[status] == nil {
						t.Errorf("%s does not declare %s", call, status)
					}
				}
				for status, r := range responses {
					if child(r, "description") == "" || child(r, "description") == nil {
						t.Errorf("%s %s has no description", call, status)
					}
				}
			}
		}
	})
	t.Run("HasOneContentTypePerOperation", func(t *testing.T) {
		t.Parallel()
		streams := map[string]bool{}
		for path, item := range as[map[string]any](document["paths"]) {
			for method, op := range as[map[string]any](item) {
				contentTypes := map[string]bool{}
				for status, r := range as[map[string]any](child(op, "responses")) {
					content, _ := child(r, "content").(map[string]any)
					for contentType := range content {
						if strings.HasPrefix(status, "2") {
							contentTypes[contentType] = true
						}
					}
				}
				if _, empty := as[map[string]any](child(op, "responses"))["204"]; len(contentTypes) != 1 && !(empty && len(contentTypes) == 0) {
					t.Errorf("%s %s declares %v for success", method, path, contentTypes)
				}
				if contentTypes["text/event-stream"] {
					streams[as[string](child(op, "operationId"))] = true
				}
			}
		}
		want := map[string]bool{"provision-tenant": true, "provision-existing-tenant": true, "stream-tenant-events": true, "stream-all-events": true}
		if !maps.Equal(streams, want) {
			t.Errorf("operations with an event stream: %v", streams)
		}
	})
	t.Run("LeaksNoInternals", func(t *testing.T) {
		t.Parallel()
		if leak := regexp.MustCompile(`View\b|"\$schema"|provisioning\.[A-Z]|github\.com`).Find(text); leak != nil {
			t.Errorf("%s", leak)
		}
	})
}

func TestServer_DocsPage(t *testing.T) {
	b := setup(t)
	got := b.do(http.MethodGet, "/docs", nil).want(http.StatusOK)
	policy := got.header.Get("Content-Security-Policy")
	if !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") || !strings.Contains(policy, "default-src 'none'; script-src 'sha256-") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
		t.Errorf("%v", got.header)
	}
	if references := regexp.MustCompile(`(?i)https?://|//[a-z]+\.|<link|<img|src=|@import|\burl\(|\sstyle=|\son[a-z]+=|innerHTML|insertAdjacentHTML|document\.write|eval\(`).FindString(got.text); references != "" {
		t.Errorf("the page loads or runs something else: %q", references)
	}
	if strings.Count(got.text, "<script>") != 1 || strings.Count(got.text, "<style>") != 1 {
		t.Error("the policy knows one script and one style")
	}
}
