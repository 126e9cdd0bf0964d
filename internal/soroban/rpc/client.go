package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"golang.org/x/sync/semaphore"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// maxResponseBytes limits the size of a response; the largest are simulations, below a
// megabyte.
const maxResponseBytes = 16 << 20

// maxParallelCalls limits the concurrent calls and connections of one client, so that a
// server does not take many concurrent tenants for an attack.
const maxParallelCalls = 16

// callTimeout is how long one call to the server may take.
const callTimeout = 15 * time.Second

// networkTTL is how long a check of the network is valid.
const networkTTL = time.Hour

// maxErrorText limits a server's error text, which goes to the log.
const maxErrorText = 1000

// Options are the settings of a Client. All but HTTPClient are required.
type Options struct {
	URL        string      // It can hold an access key, so no message contains it.
	Headers    http.Header // Of each call. Secrets.
	Secrets    []string    // Replaced in the server's texts.
	Passphrase string      // Of the network that the server has to serve.
	// HTTPClient should have a Timeout. Default: one with callTimeout.
	HTTPClient   *http.Client
	Clock        clock.Clock
	PollInterval time.Duration
}

// Client calls JSON-RPC with the SDK's message types, but without the SDK's client.
// The SDK's client shares one connection object among all callers, closes it under a
// lock after any caller's error, lets a cancelled call continue in the background, and
// keeps only the text of an HTTP error. Here the status decides between a retry and an
// error. JSON-RPC over HTTP is one POST, and net/http pools connections and stops when
// ctx ends.
//
// A call is made once. net/http repeats a POST only when it knows that nothing was
// written.
type Client struct {
	url          string
	headers      http.Header
	secrets      *strings.Replacer
	http         *http.Client
	pacer        pacer
	inFlight     *semaphore.Weighted
	passphrase   string
	network      *ttlCache[struct{}] // Has a value while the server's last check is valid.
	protocol     atomic.Int64        // Of the network; 0: not read yet.
	latestLedger *ttlCache[Ledger]
	fees         *ttlCache[protocol.GetFeeStatsResponse]
}

// New creates a Client. It makes no call.
func New(o Options) *Client {
	if o.HTTPClient == nil {
		o.HTTPClient = newHTTPClient()
	}
	// A redirect would send transactions, and the URL with its key as the Referer, to another
	// host.
	direct := *o.HTTPClient
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	o.HTTPClient = &direct
	var secrets []string
	for _, secret := range o.Secrets {
		secrets = append(secrets, secret, "(secret)")
	}
	c := &Client{
		url: o.URL, headers: o.Headers, secrets: strings.NewReplacer(secrets...), passphrase: o.Passphrase, http: o.HTTPClient, pacer: pacer{o.Clock, o.PollInterval, &ledgerInterval{}},
		inFlight: semaphore.NewWeighted(maxParallelCalls),
	}
	c.network = newTTLCache(o.Clock, networkTTL, c.fetchNetwork)
	c.latestLedger = newTTLCache(o.Clock, cacheTTL, c.fetchLatestLedger)
	c.fees = newTTLCache(o.Clock, cacheTTL, c.fetchFeeStats)
	return c
}

// Format prints no values: the URL can hold an access key.
func (*Client) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("rpc.Client(secret)")) }

func newHTTPClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert,errcheck // documented to be one
	transport.MaxIdleConnsPerHost = maxParallelCalls
	return &http.Client{Timeout: callTimeout, Transport: transport}
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

// call makes one call. classifyCallError sets the kind of its errors. The server, which can be an outside
// party, does not get the trace.
func call[A any](ctx context.Context, c *Client, method string, params any) (answer A, err error) {
	ctx, span := tracing.StartChild(ctx, tracing.Outbound, method, tracing.RPCMethod(method))
	defer func() { span.End(err) }()
	raw, err := c.post(ctx, request{Version: "2.0", ID: 1, Method: method, Params: params})
	if err == nil {
		err = c.decodeAnswer(raw, &answer)
	}
	if err == nil {
		err = checkAnswer(any(&answer))
	}
	if err != nil {
		var none A
		return none, classifyCallError(ctx, method, err)
	}
	return answer, nil
}

func (c *Client) decodeAnswer(raw []byte, answer any) error {
	var r response
	if err := json.Unmarshal(raw, &r); err != nil {
		return &malformedError{err}
	}
	if r.Error != nil {
		return &remoteError{code: r.Error.Code, message: errs.Truncate(c.secrets.Replace(r.Error.Message), maxErrorText)}
	}
	if len(r.Result) == 0 || string(r.Result) == "null" {
		return &malformedError{fmt.Errorf("neither result nor error in %d bytes", len(raw))}
	}
	if err := json.Unmarshal(r.Result, answer); err != nil {
		return &malformedError{err}
	}
	return nil
}

func (c *Client) post(ctx context.Context, q request) ([]byte, error) {
	if err := c.inFlight.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer c.inFlight.Release(1)
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	maps.Copy(r.Header, c.headers)
	r.Header.Set("Content-Type", "application/json")
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxResponseBytes+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxResponseBytes {
		return nil, &malformedError{fmt.Errorf("the response is larger than %d bytes", maxResponseBytes)}
	}
	if answer.StatusCode != http.StatusOK {
		return nil, &statusError{code: answer.StatusCode, after: retryAfter(answer.Header)}
	}
	return raw, nil
}

// retryAfter returns the pause that a rate-limiting server requested.
func retryAfter(h http.Header) time.Duration {
	const longest = 30 * time.Second
	pause, _ := retry.After(h.Get("Retry-After"), time.Now())
	return min(pause, longest)
}
