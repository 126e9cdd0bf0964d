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

// contract is the OpenAPI document, to which every answer of every test is held.
type contract struct {
	document map[string]any

	mu       sync.Mutex
	compiler *jsonschema.Compiler
}

var theContract = sync.OnceValue(func() *contract {
	text, err := api.OpenAPI("test")
	if err != nil {
		panic(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		panic(err)
	}
	c := &contract{document: as[map[string]any](document), compiler: jsonschema.NewCompiler()}
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

// operation finds the call that a request is, "" if there is none.
func (c *contract) operation(method, path string) (template string, operation map[string]any) {
	given := strings.Split(path, "/")
	for template, item := range as[map[string]any](c.document["paths"]) {
		wanted := strings.Split(template, "/")
		fits := len(wanted) == len(given)
		for i := 0; fits && i < len(wanted); i++ {
			fits = strings.HasPrefix(wanted[i], "{") && given[i] != "" || wanted[i] == given[i]
		}
		if op, there := child(item, strings.ToLower(method)).(map[string]any); fits && there {
			return template, op
		}
	}
	return "", nil
}

// validateEvent holds an event's data to the schema of events of its name.
func (c *contract) validateEvent(e event, stream []string) error {
	for i, sort := range as[[]any](child(c.document, append(stream, "oneOf")...)) {
		if child(sort, "properties", "event", "const") == e.name {
			return c.validate([]byte(e.data), append(stream, "oneOf", strconv.Itoa(i), "properties", "data", "contentSchema")...)
		}
	}
	return fmt.Errorf("no such event is declared")
}

// validate holds a JSON text to the schema at a place of the document.
func (c *contract) validate(text []byte, place ...string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if child(c.document, place...) == nil {
		return fmt.Errorf("the document has nothing at %q", place)
	}
	pointer := "openapi.json#"
	for _, name := range place {
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

// internals are what no caller may ever see.
var internals = regexp.MustCompile(`SQLSTATE|pgconn|pgx\.|\bprovisioning\.|\*api\.|goroutine|\.go:\d|password=|panic|SELECT |INSERT `)

// held is a transport that fails the test when an answer is not what the
// document says.
type held struct {
	t    testing.TB
	next http.RoundTripper
}

func (h held) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := h.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	faults := theContract().faults(r, answer)
	for _, fault := range faults {
		h.t.Errorf("%s %s answered with %d: %s", r.Method, r.URL.Path, answer.StatusCode, fault)
	}
	return answer, nil
}

func (c *contract) faults(r *http.Request, answer *http.Response) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
		if got := answer.Header.Get(name); got != want {
			fault("%s is %q", name, got)
		}
	}
	id := answer.Header.Get("X-Request-Id")
	if id == "" {
		fault("it has no X-Request-Id")
	}
	media, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
	if media == "text/event-stream" || r.URL.Path == "/docs" || r.URL.Path == "/openapi.json" {
		return faults // Read by those who asked for it.
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		fault("its body broke off: %v", err)
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	if leak := internals.Find(body); leak != nil {
		fault("it shows internals: %q in %s", leak, body)
	}
	if media == "application/problem+json" {
		var p struct {
			Status    int
			Title     string
			RequestID string
			Detail    string
		}
		if bytes.Contains(body, []byte("127.0.0.1")) {
			fault("its problem shows an address: %s", body)
		}
		if err := json.Unmarshal(body, &p); err != nil || p.Status != answer.StatusCode || p.RequestID != id || p.Title != http.StatusText(p.Status) || p.Detail == "" {
			fault("its problem does not fit: %s", body)
		}
	}
	template, op := c.operation(r.Method, r.URL.Path)
	status := strconv.Itoa(answer.StatusCode)
	place := []string{"paths", template, strings.ToLower(r.Method), "responses", status}
	switch {
	case op == nil && r.Method != http.MethodHead:
		if answer.StatusCode != http.StatusNotFound && answer.StatusCode != http.StatusMethodNotAllowed || media != "application/problem+json" {
			fault("there is no such call, and this is no way to say it: %s", body)
		}
		return faults
	case op == nil:
		return faults
	case child(c.document, place...) == nil:
		fault("this status is not declared: %s", body)
		return faults
	}
	contents, _ := child(c.document, append(place, "content")...).(map[string]any)
	if len(contents) == 0 {
		if len(body) > 0 {
			fault("no body is declared: %s", body)
		}
		return faults
	}
	if err := c.validate(body, append(place, "content", media, "schema")...); err != nil {
		fault("%v: %s", err, body)
	}
	return faults
}
