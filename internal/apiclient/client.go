package apiclient

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Options are the settings of a Client.
type Options struct {
	URL   string // Base address of the server, as https://tenants.platform.example.
	Token string // API key, or a token of the issuer that the server trusts.
	// UserAgent names the program in the server's log. Default "healthcare-apiclient".
	UserAgent string
	// HTTPClient sends the requests. Default: one with sane limits and no overall
	// timeout, because a provisioning takes as long as it takes; contexts end calls.
	HTTPClient *http.Client
	Observer   provisioning.Observer    // Told of each step. Default: nobody watches.
	Retry      provisioning.RetryPolicy // For what is safe to repeat. Default provisioning.DefaultRetry.
	Clock      provisioning.Clock       // Default provisioning.SystemClock.
}

// Client is a tenant-api, seen from outside. It may be used by many goroutines.
type Client struct {
	base     *url.URL
	options  Options
	requests *http.Client
	silence  time.Duration
}

// silence is how long a stream may say nothing before it counts as lost. The
// server gives a sign of life every three seconds.
const silence = 15 * time.Second

// New reads the settings. It connects to nothing. KindInvalid when they cannot be used.
func New(o Options) (*Client, error) {
	const op = "set up API client"
	base, err := url.Parse(strings.TrimRight(o.URL, "/"))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" || base.Fragment != "" || base.User != nil {
		return nil, provisioning.Errorf(provisioning.KindInvalid, op, "the address of tenant-api is no base URL; give it as https://tenants.platform.example")
	}
	if o.Token == "" || strings.ContainsFunc(o.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, provisioning.Errorf(provisioning.KindInvalid, op, "the token for tenant-api is empty or has characters that no token has; create one with: tenant-api apikey create")
	}
	if o.UserAgent == "" {
		o.UserAgent = "healthcare-apiclient"
	}
	if o.Retry.Attempts == 0 {
		o.Retry = provisioning.DefaultRetry()
	}
	if o.Clock == nil {
		o.Clock = provisioning.SystemClock{}
	}
	if o.Observer == nil {
		o.Observer = func(context.Context, provisioning.Event) {}
	}
	c := &Client{base: base, options: o, requests: o.HTTPClient, silence: silence}
	if c.requests == nil {
		c.requests = &http.Client{Transport: transport()}
	}
	// A token goes to the server that was named and to no other one.
	c.requests = &http.Client{Transport: c.requests.Transport, Timeout: c.requests.Timeout, Jar: c.requests.Jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

func transport() *http.Transport {
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
