package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
)

// apiClient calls the API in the process for one request of a person.
type apiClient struct {
	api   http.Handler
	token string        // Of the session.
	outer *http.Request // The person's request, whose address and id the API sees.
}

// apiCall is one call of the API.
type apiCall struct {
	method, path string
	query        url.Values
	header       http.Header
	body         any // Encoded as JSON. Nil: none.
	accepted     int // A status that is an answer, too, and no problem. 0: none.
}

// get reads a resource into target.
func (c *apiClient) get(ctx context.Context, path string, query url.Values, target any) error {
	return c.do(ctx, apiCall{method: http.MethodGet, path: path, query: query}, target)
}

// do makes a call and decodes the answer into target, unless that is nil. A rejected call returns a
// *problem.Problem.
func (c *apiClient) do(ctx context.Context, call apiCall, target any) error {
	r, err := c.request(ctx, call)
	if err != nil {
		return err
	}
	answer := &recordedAnswer{header: http.Header{}}
	c.api.ServeHTTP(answer, r)
	if answer.status >= http.StatusBadRequest && answer.status != call.accepted {
		p := &problem.Problem{}
		if err := json.Unmarshal(answer.body.Bytes(), p); err != nil {
			return fmt.Errorf("read the problem of %s %s: %w", call.method, call.path, err)
		}
		return p
	}
	if target == nil || answer.body.Len() == 0 {
		return nil
	}
	if err := json.Unmarshal(answer.body.Bytes(), target); err != nil {
		return fmt.Errorf("read the answer of %s %s: %w", call.method, call.path, err)
	}
	return nil
}

// request makes the request of a call. Its address and id are those of the person's request.
func (c *apiClient) request(ctx context.Context, call apiCall) (*http.Request, error) {
	var body io.Reader = http.NoBody
	if call.body != nil {
		encoded, err := json.Marshal(call.body)
		if err != nil {
			return nil, fmt.Errorf("encode the body of %s %s: %w", call.method, call.path, err)
		}
		body = bytes.NewReader(encoded)
	}
	target := url.URL{Path: call.path, RawQuery: call.query.Encode()}
	r, err := http.NewRequestWithContext(ctx, call.method, target.String(), body)
	if err != nil {
		return nil, fmt.Errorf("make a request of %s %s: %w", call.method, call.path, err)
	}
	r.Host, r.RemoteAddr = c.outer.Host, c.outer.RemoteAddr
	for name, values := range call.header {
		r.Header[name] = values
	}
	for _, name := range []string{"X-Forwarded-For", "X-Request-Id", "Traceparent"} {
		if values := c.outer.Header.Values(name); len(values) > 0 {
			r.Header[name] = values
		}
	}
	if call.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	return r, nil
}

// recordedAnswer keeps an answer of the API in memory. The API bounds its answers: lists are pages.
type recordedAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *recordedAnswer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *recordedAnswer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements http.ResponseWriter.
func (a *recordedAnswer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// follow makes a call whose answer is a stream, and calls received for each line of it until the stream ends,
// received returns false, or ctx ends. A rejected call returns a *problem.Problem.
func (c *apiClient) follow(ctx context.Context, call apiCall, received func(line string) bool) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	r, err := c.request(ctx, call)
	if err != nil {
		return err
	}
	reader, writer := io.Pipe()
	answer := &streamedAnswer{header: http.Header{}, pipe: writer}
	served := make(chan struct{})
	go func() {
		defer close(served)
		defer func() { _ = writer.Close() }() // Never fails.
		defer func() { _ = recover() }()      // The API has logged it, and ends the stream by it.
		c.api.ServeHTTP(answer, r)
	}()
	err = answer.read(reader, received)
	stop()
	_ = reader.Close() // The API's next write fails, so it ends.
	<-served
	return err
}
