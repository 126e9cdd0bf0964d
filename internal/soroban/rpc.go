package soroban

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// maxAnswer bounds an answer; the largest are simulations, below a megabyte.
const maxAnswer = 16 << 20

// rpcClient speaks JSON-RPC with the SDK's message types, but without the SDK's
// client. That one serves all callers over one connection object, which it tears
// down under a lock after any error, theirs included; a cancelled call goes on in
// the background; and of an HTTP error it keeps the text alone, while here
// the status decides between trying again and giving up. JSON-RPC over HTTP
// is one POST, and net/http pools connections and honours ctx by itself.
//
// A call is made once. net/http repeats a POST by itself only when it knows that
// nothing of it was written.
type rpcClient struct {
	url          string
	http         *http.Client
	pacer        pacer
	latestLedger *ttlCache[ledgerInfo]
	slots        chan struct{} // Holds a place for each call under way.
}

type request struct {
	Version string `json:"jsonrpc"`
	ID      int    `json:"id"`
	Method  string `json:"method"`
	Params  any    `json:"params,omitempty"`
}

type response struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// changeSpec makes one call. Its errors are of the kinds that rpcFailure gives.
func call[A any](ctx context.Context, c *rpcClient, method string, params any) (A, error) {
	var answer A
	raw, err := c.post(ctx, request{Version: "2.0", ID: 1, Method: method, Params: params})
	if err == nil {
		err = decodeAnswer(raw, &answer)
	}
	if err != nil {
		var none A
		return none, classifyCallError(ctx, method, err)
	}
	return answer, nil
}

func decodeAnswer(raw []byte, answer any) error {
	var r response
	if err := json.Unmarshal(raw, &r); err != nil {
		return &malformedError{err}
	}
	if r.Error != nil {
		return &remoteError{code: r.Error.Code, message: r.Error.Message}
	}
	if len(r.Result) == 0 {
		return &malformedError{fmt.Errorf("neither result nor error in %d bytes", len(raw))}
	}
	if err := json.Unmarshal(r.Result, answer); err != nil {
		return &malformedError{err}
	}
	return nil
}

func (c *rpcClient) post(ctx context.Context, q request) ([]byte, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxAnswer {
		return nil, &malformedError{fmt.Errorf("the answer is larger than %d bytes", maxAnswer)}
	}
	if answer.StatusCode != http.StatusOK {
		return nil, &statusError{code: answer.StatusCode, after: retryAfter(answer.Header)}
	}
	return raw, nil
}

// retryAfter reads how long a server that limits requests wants to be left alone.
func retryAfter(h http.Header) time.Duration {
	const longest = 30 * time.Second
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, longest)
}
