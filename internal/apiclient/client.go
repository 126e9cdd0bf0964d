package apiclient

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
)

// Options configures a Client.
type Options struct {
	URL   string // Base address of the server, for example https://tenants.platform.example.
	Token string // API key, or a token of the issuer that the server trusts.
	// UserAgent names the program in the server's log. Default "healthcare-apiclient".
	UserAgent string
	// HTTPClient sends the requests. Default: one with connection timeouts and no overall
	// timeout, because a provisioning has no fixed duration; contexts end requests.
	HTTPClient *http.Client
	Observer   provisioning.Observer // Called for each step. Default: none.
	Retry      retry.Policy          // For requests that are safe to repeat. Default retry.Default.
	Clock      clock.Clock           // Default clock.System.
}

// Client calls a tenant-api. It is safe for concurrent use.
type Client struct {
	baseURL     *url.URL
	options     Options
	httpClient  *http.Client
	trialClient *http.Client // For requests that try a blueprint, whose answer takes long.
	idleTimeout time.Duration
}

// streamIdleTimeout is how long a stream may be without data before the client closes it. The
// server sends a keep-alive every three seconds.
const streamIdleTimeout = 15 * time.Second

// New checks the options. It opens no connection. KindInvalid for invalid options.
func New(o Options) (*Client, error) {
	const op = "set up API client"
	base, err := url.Parse(strings.TrimRight(o.URL, "/"))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" || base.Fragment != "" || base.User != nil {
		return nil, errs.Errorf(errs.KindInvalid, op, "the address of tenant-api is not a base URL; give it as https://tenants.platform.example")
	}
	if o.Token == "" || strings.ContainsFunc(o.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errs.Errorf(errs.KindInvalid, op, "the token for tenant-api is empty or has invalid characters; create one with: tenant-api apikey create")
	}
	if o.UserAgent == "" {
		o.UserAgent = "healthcare-apiclient"
	}
	if o.Retry.Attempts == 0 {
		o.Retry = retry.Default()
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Observer == nil {
		o.Observer = func(context.Context, provisioning.Event) {}
	}
	c := &Client{baseURL: base, options: o, idleTimeout: streamIdleTimeout}
	if o.HTTPClient == nil {
		c.httpClient = withoutRedirects(&http.Client{Transport: newTransport(answerTimeout)})
		c.trialClient = withoutRedirects(&http.Client{Transport: newTransport(trialTimeout)})
	} else {
		c.httpClient = withoutRedirects(o.HTTPClient)
		c.trialClient = c.httpClient
	}
	return c, nil
}

// withoutRedirects follows none: the token is only sent to the configured server.
func withoutRedirects(c *http.Client) *http.Client {
	return &http.Client{Transport: c.Transport, Timeout: c.Timeout, Jar: c.Jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// How long the client waits for the header of a response. A server ends a trial before.
const (
	answerTimeout = 60 * time.Second
	trialTimeout  = 12 * time.Minute
)

func newTransport(answerTimeout time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: answerTimeout,
		IdleConnTimeout:       30 * time.Second,
		MaxIdleConnsPerHost:   16,
		ForceAttemptHTTP2:     true,
	}
}

// String keeps the token out of logs.
func (o Options) String() string { return fmt.Sprintf("apiclient.Options{URL: %q}", o.URL) }

// GoString keeps the token out of %#v.
func (o Options) GoString() string { return o.String() }
