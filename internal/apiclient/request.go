package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// request is one call of the API.
type request struct {
	op     string // For errors: "read tenant".
	method string
	path   []string // Segments, not escaped.
	query  map[string]string
	header map[string]string
	body   any
}

// maxAnswer is more than any answer of ours has.
const maxAnswer = 16 << 20

// call sends a request that is safe to repeat, and repeats it while the fault is
// transient. into may be nil.
func (c *Client) call(ctx context.Context, r request, into any) error {
	return c.repeat(ctx, transient, func() error {
		answer, err := c.send(ctx, r)
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		if into == nil {
			return nil
		}
		text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
		if err != nil {
			return unanswered(ctx, r.op, err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			return provisioning.Wrap(err, provisioning.KindPermanent, r.op, "what answers at the given address is not tenant-api, or one of another version; check the URL")
		}
		return nil
	})
}

func transient(err error) bool { return provisioning.KindOf(err) == provisioning.KindTransient }

// repeat calls f until it succeeds or fails with an error that is not worth
// another try, waiting as long as the server wants.
func (c *Client) repeat(ctx context.Context, worthwhile func(error) bool, f func() error) error {
	policy := c.options.Retry
	for try := 1; ; try++ {
		err := f()
		if err == nil || !worthwhile(err) || ctx.Err() != nil {
			return err
		}
		var r *refused
		pause := policy.Pause(try)
		if errors.As(err, &r) && r.status == http.StatusTooManyRequests && r.after > 0 {
			// Being told to wait is no failure: the server is there and answers.
			try--
			pause = max(pause, r.after)
		}
		if try >= policy.Attempts {
			return err
		}
		if sleep := c.options.Clock.Sleep(ctx, pause); sleep != nil {
			return err
		}
	}
}

// send makes one attempt. The answer is a success, and its body is the caller's to close.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, provisioning.Wrap(err, provisioning.KindPermanent, r.op, "the request cannot be written as JSON")
		}
		body = bytes.NewReader(text)
	}
	address := c.base.JoinPath(r.path...)
	query := address.Query()
	for name, v := range r.query {
		query.Set(name, v)
	}
	address.RawQuery = query.Encode()
	out, err := http.NewRequestWithContext(ctx, r.method, address.String(), body)
	if err != nil {
		return nil, provisioning.Wrap(err, provisioning.KindPermanent, r.op, "the request cannot be written")
	}
	out.Header.Set("Authorization", "Bearer "+c.options.Token)
	out.Header.Set("User-Agent", c.options.UserAgent)
	out.Header.Set("Accept", "application/json")
	if body != nil {
		out.Header.Set("Content-Type", "application/json")
	}
	for name, v := range r.header {
		out.Header.Set(name, v)
	}
	answer, err := c.requests.Do(out)
	if err != nil {
		return nil, unanswered(ctx, r.op, err)
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		defer func() { _ = answer.Body.Close() }()
		return nil, refusal(r.op, answer)
	}
	return answer, nil
}
