package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
)

// openAPISpec is the OpenAPI document; every response of every test is checked against it.
type openAPISpec struct {
	document map[string]any

	mu       sync.Mutex
	compiler *jsonschema.Compiler
}

var loadSpec = sync.OnceValue(func() *openAPISpec {
	text, err := api.OpenAPI("test")
	if err != nil {
		panic(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		panic(err)
	}
	c := &openAPISpec{document: as[map[string]any](document), compiler: jsonschema.NewCompiler()}
	c.compiler.AssertFormat()
	if err := c.compiler.AddResource("openapi.json", document); err != nil {
		panic(err)
	}
	return c
})

func child(node any, names ...string) any {
	for _, name := range names {
		switch n := node.(type) {
		case map[string]any:
			node = n[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(n) {
				return nil
			}
			node = n[i]
		default:
			return nil
		}
	}
	return node
}

// operation returns the operation of a request and its path template, "" if none matches. A
// literal path has precedence over a template, as in the server.
func (c *openAPISpec) operation(method, path string) (template string, operation map[string]any) {
	if op, found := child(c.document, "paths", path, strings.ToLower(method)).(map[string]any); found {
		return path, op
	}
	if child(c.document, "paths", path) != nil { // A path without parameters has only the methods listed for it.
		return "", nil
	}
	segments := strings.Split(path, "/")
	for template, item := range as[map[string]any](c.document["paths"]) {
		pattern := strings.Split(template, "/")
		matches := len(pattern) == len(segments)
		for i := 0; matches && i < len(pattern); i++ {
			matches = strings.HasPrefix(pattern[i], "{") && segments[i] != "" || pattern[i] == segments[i]
		}
		if op, found := child(item, strings.ToLower(method)).(map[string]any); matches && found {
			return template, op
		}
	}
	return "", nil
}

// validateEvent checks an event's data against the schema of its event name.
func (c *openAPISpec) validateEvent(e event, stream []string) error {
	for i, eventSchema := range as[[]any](child(c.document, append(stream, "oneOf")...)) {
		if child(eventSchema, "properties", "event", "const") == e.name {
			return c.validate([]byte(e.data), append(stream, "oneOf", strconv.Itoa(i), "properties", "data", "contentSchema")...)
		}
	}
	return fmt.Errorf("no such event is declared")
}

// validate checks a JSON text against the schema at a place in the document.
func (c *openAPISpec) validate(text []byte, path ...string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if child(c.document, path...) == nil {
		return fmt.Errorf("the document has nothing at %q", path)
	}
	pointer := "openapi.json#"
	for _, name := range path {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	}
	schema, err := c.compiler.Compile(pointer)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("no JSON: %w", err)
	}
	return schema.Validate(value)
}

// internalsPattern matches text that no caller may see.
var internalsPattern = regexp.MustCompile(`SQLSTATE|pgconn|pgx\.|\bprovisioning\.|\*api\.|goroutine|\.go:\d|password=|panic|SELECT |INSERT `)

// specTransport is a transport that fails the test when a response does not match the
// document.
type specTransport struct {
	t    testing.TB
	next http.RoundTripper
}

func (h specTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := h.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	violations := loadSpec().violations(r, response)
	for _, violation := range violations {
		h.t.Errorf("%s %s answered with %d: %s", r.Method, r.URL.Path, response.StatusCode, violation)
	}
	return response, nil
}

func (c *openAPISpec) violations(r *http.Request, response *http.Response) (violations []string) {
	report := func(format string, args ...any) { violations = append(violations, fmt.Sprintf(format, args...)) }
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
		if got := response.Header.Get(name); got != want {
			report("%s is %q", name, got)
		}
	}
	id := response.Header.Get("X-Request-Id")
	if id == "" {
		report("it has no X-Request-Id")
	}
	media, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	if media == "text/event-stream" || r.URL.Path == "/docs" || r.URL.Path == "/invitation" || r.URL.Path == "/openapi.json" {
		return violations // The caller reads them.
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		report("its body broke off: %v", err)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	if match := internalsPattern.Find(body); match != nil {
		report("it shows internals: %q in %s", match, body)
	}
	if media == "application/problem+json" {
		var p struct {
			Status    int
			Title     string
			RequestID string
			Detail    string
		}
		if bytes.Contains(body, []byte("127.0.0.1")) {
			report("its problem shows an address: %s", body)
		}
		if err := json.Unmarshal(body, &p); err != nil || p.Status != response.StatusCode || p.RequestID != id || p.Title != http.StatusText(p.Status) || p.Detail == "" {
			report("its problem does not fit: %s", body)
		}
	}
	template, op := c.operation(r.Method, r.URL.Path)
	status := strconv.Itoa(response.StatusCode)
	path := []string{"paths", template, strings.ToLower(r.Method), "responses", status}
	switch {
	case op == nil && r.Method != http.MethodHead:
		if response.StatusCode != http.StatusNotFound && response.StatusCode != http.StatusMethodNotAllowed || media != "application/problem+json" {
			report("an unknown route must return 404 or 405: %s", body)
		}
		return violations
	case op == nil:
		return violations
	case child(c.document, path...) == nil:
		report("this status is not declared: %s", body)
		return violations
	}
	contents, _ := child(c.document, append(path, "content")...).(map[string]any)
	if len(contents) == 0 {
		if len(body) > 0 {
			report("no body is declared: %s", body)
		}
		return violations
	}
	if err := c.validate(body, append(path, "content", media, "schema")...); err != nil {
		report("%v: %s", err, body)
	}
	return violations
}
