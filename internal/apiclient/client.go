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
	c := &Client{baseURL: base, options: o, httpClient: o.HTTPClient, idleTimeout: streamIdleTimeout}
	if c.httpClient == nil {
		c.httpClient = &http.Client{Transport: newTransport()}
	}
	// No redirects: the token is only sent to the configured server.
	c.httpClient = &http.Client{Transport: c.httpClient.Transport, Timeout: c.httpClient.Timeout, Jar: c.httpClient.Jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 60 * time.Second,
		IdleConnTimeout:       30 * time.Second,
		MaxIdleConnsPerHost:   16,
		ForceAttemptHTTP2:     true,
	}
}

// String keeps the token out of logs.
func (o Options) String() string { return fmt.Sprintf("apiclient.Options{URL: %q}", o.URL) }

// GoString keeps the token out of %#v.
func (o Options) GoString() string { return o.String() }
