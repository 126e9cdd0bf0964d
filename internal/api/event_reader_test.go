package api_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// eventReader reads a stream of events and checks them against the OpenAPI document.
type eventReader struct {
	b          *testServer
	answer     *http.Response
	lines      *bufio.Reader
	schemaPath []string
	keepAlives int // Received keep-alives.
}

// openStream opens a stream; it fails the test if the request is rejected.
func (b *testServer) openStream(r *http.Request) *eventReader {
	b.t.Helper()
	got, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = got.Body.Close() })
	if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "text/event-stream" {
		text, _ := io.ReadAll(got.Body)
		b.t.Fatalf("no stream but %d %s", got.StatusCode, text)
	}
	template, _ := loadSpec().operation(r.Method, r.URL.Path)
	return &eventReader{b: b, answer: got, lines: bufio.NewReader(got.Body), schemaPath: []string{"paths", template, strings.ToLower(r.Method), "responses", "200", "content", "text/event-stream", "schema"}}
}

// next returns the next event, nil at the end of the stream.
func (e *eventReader) next() *event {
	e.b.t.Helper()
	var got event
	for {
		line, err := e.lines.ReadString('\n')
		if err != nil {
			return nil
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "":
			if value != "" {
				e.keepAlives++
				continue
			}
			if got.name == "" {
				continue
			}
			if err := loadSpec().validateEvent(got, e.schemaPath); err != nil {
				e.b.t.Errorf("event %s: %v: %s", got.name, err, got.data)
			}
			_ = json.Unmarshal([]byte(got.data), &got.json)
			return &got
		case "event":
			got.name = value
		case "id":
			got.id = value
		case "data":
			got.data = value
		default:
			e.b.t.Errorf("odd line %q", line)
		}
	}
}

// readAll returns all events until the stream ends.
func (e *eventReader) readAll() []event {
	e.b.t.Helper()
	var all []event
	for next := e.next(); next != nil; next = e.next() {
		all = append(all, *next)
	}
	return all
}

// provision provisions inside the request until the run ends.
func (b *testServer) provision(path string, body any, headers ...string) []event {
	b.t.Helper()
	return b.openStream(b.request(http.MethodPost, path, body, headers...)).readAll()
}
