package auth

import (
	"errors"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
)

// Each token with a key that is not known makes the server ask the issuer for its
// keys. A flood of such tokens must not reach the issuer.
const (
	issuerMinInterval = 5 * time.Second
	issuerBurst       = 5
)

const (
	issuerTimeout = 5 * time.Second // For one request, its body included.
	maxIssuerBody = 1 << 20         // Of a document of the issuer, in bytes.
)

// errThrottled is why the issuer was not asked.
var errThrottled = errors.New("the issuer was asked often enough")

// issuerClient makes the client for an issuer's documents. It follows no
// redirection: the documents decide who is admitted, so they come from the address
// that was configured, or that the issuer itself names, and from no other.
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

// issuerTransport bounds how often the issuer is asked, and how much of its answers
// is read.
type issuerTransport struct {
	next  http.RoundTripper // Nil: http.DefaultTransport.
	limit *rate.Limiter
	clock clock.Clock
}

// RoundTrip is part of http.RoundTripper.
func (t *issuerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !t.limit.AllowN(t.clock.Now(), 1) {
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
