package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// request is one call of the API.
type request struct {
	op     string // For errors, for example "read tenant".
	method string
	path   []string // Segments, not escaped.
	query  map[string]string
	header map[string]string
	body   any
	tar    []byte // The body instead, compressed by gzip; a request with it may take trialTimeout.
}

// maxResponseSize exceeds every response of this API, in bytes.
const maxResponseSize = 16 << 20

// call sends a request that is safe to repeat, retries it on transient errors and decodes
// the response into target, which may be nil.
func (c *Client) call(ctx context.Context, r request, target any) error {
	_, text, err := c.exchange(ctx, r)
	if err != nil {
		return err
	}
	return decode(r.op, text, target)
}

// exchange sends a request that is safe to repeat, retries it on transient errors, and
// returns the success response.
func (c *Client) exchange(ctx context.Context, r request) (status int, text []byte, err error) {
	err = c.withRetry(ctx, transient, func() error {
		response, err := c.send(ctx, r)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		status = response.StatusCode
		if text, err = io.ReadAll(io.LimitReader(response.Body, maxResponseSize)); err != nil {
			return c.transportError(ctx, r.op, err)
		}
		return nil
	})
	return status, text, err
}

func transient(err error) bool { return errs.KindOf(err) == errs.KindTransient }

// withRetry calls f until it succeeds or returns an error that is not retryable. It waits
// as long as Retry-After requires.
func (c *Client) withRetry(ctx context.Context, retryable func(error) bool, f func() error) error {
	policy := c.options.Retry
	for attempt := 1; ; attempt++ {
		err := f()
		if err == nil || !retryable(err) || ctx.Err() != nil {
			return err
		}
		var r *responseError
		delay := policy.Delay(attempt)
		if errors.As(err, &r) && r.status == http.StatusTooManyRequests && r.retryAfter > 0 {
			// A rate limit does not count as a failed attempt: the server answers.
			attempt--
			delay = max(delay, r.retryAfter)
		}
		if attempt >= policy.Attempts {
			return err
		}
		if sleep := c.options.Clock.Sleep(ctx, delay); sleep != nil {
			return err
		}
	}
}

// send makes one attempt and returns a success response. The caller closes its body.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, errs.Wrap(err, errs.KindPermanent, r.op, "the request cannot be written as JSON")
		}
		body = bytes.NewReader(text)
	}
	contentType, httpClient := "application/json", c.httpClient
	if r.tar != nil {
		body, contentType, httpClient = bytes.NewReader(r.tar), "application/gzip", c.trialClient
	}
	address := c.baseURL.JoinPath(r.path...)
	query := address.Query()
	for name, v := range r.query {
		query.Set(name, v)
	}
	address.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.method, address.String(), body)
	if err != nil {
		return nil, errs.Wrap(err, errs.KindPermanent, r.op, "the request cannot be written")
	}
	req.Header.Set("Authorization", "Bearer "+c.options.Token)
	req.Header.Set("User-Agent", c.options.UserAgent)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	tracing.SetHeader(ctx, req.Header)
	for name, v := range r.header {
		req.Header.Set(name, v)
	}
	response, err := httpClient.Do(req)
	if err != nil {
		return nil, c.transportError(ctx, r.op, err)
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		defer func() { _ = response.Body.Close() }()
		return nil, errorFromResponse(r.op, response)
	}
	return response, nil
}
