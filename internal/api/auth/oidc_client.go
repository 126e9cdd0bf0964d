package auth

import (
	"errors"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
)

// Each token with an unknown key makes the server fetch the issuer's keys. The limit keeps
// a flood of these tokens from the issuer.
const (
	issuerMinInterval = 5 * time.Second
	issuerBurst       = 5
)

const (
	issuerTimeout = 5 * time.Second // For one request, including its body.
	maxIssuerBody = 1 << 20         // Maximum size of an issuer's document, in bytes.
)

// errThrottled means that the limit of requests to the issuer was reached.
var errThrottled = errors.New("the limit of requests to the issuer is reached")

// issuerClient returns the client for an issuer's documents. It follows no redirects: the
// documents decide who is admitted, and must come from the configured address or one that
// the issuer names.
func issuerClient(given *http.Client, clock clock.Clock) *http.Client {
	client := http.Client{}
	if given != nil {
		client = *given
	}
	if client.Timeout == 0 {
		client.Timeout = issuerTimeout
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Transport = &issuerTransport{client.Transport, rate.NewLimiter(rate.Every(issuerMinInterval), issuerBurst), clock}
	return &client
}

// tokenClient returns the client for tokens of people who sign in: with the limits of issuerClient,
// but for the rate, which is that of people.
func tokenClient(given *http.Client) *http.Client {
	client := issuerClient(given, clock.System{})
	if t, ok := client.Transport.(*issuerTransport); ok {
		t.limit = nil
	}
	return client
}

// issuerTransport limits the rate of requests to the issuer and the size of its responses.
type issuerTransport struct {
	next  http.RoundTripper // Nil: http.DefaultTransport.
	limit *rate.Limiter     // Nil: none.
	clock clock.Clock
}

// RoundTrip implements http.RoundTripper.
func (t *issuerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.limit != nil && !t.limit.AllowN(t.clock.Now(), 1) {
		return nil, errThrottled
	}
	next := t.next
	if next == nil {
		next = http.DefaultTransport
	}
	answer, err := next.RoundTrip(r)
	if err == nil {
		answer.Body = http.MaxBytesReader(nil, answer.Body, maxIssuerBody)
	}
	return answer, err
}
