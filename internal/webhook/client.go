// Package webhook sends the requests of blueprints' own steps to their receivers, and reads their
// answers. Requests are signed as Standard Webhooks has it, their bodies are CloudEvents.
//
// The receiver is not trusted: its address is checked when it is connected to, redirects are
// not followed, answers and times are bounded.
package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"code.dny.dev/ssrf"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// Options are the settings of a Client.
type Options struct {
	config.Webhook
	Clock   clock.Clock    // Default clock.System.
	RootCAs *x509.CertPool // Nil: the system's.
}

// Client sends signed requests. It is safe for concurrent use.
type Client struct {
	http *http.Client
	opts Options
}

// Bounds of an answer and of a connection.
const (
	maxAnswerBytes = 64 << 10
	maxHeaderBytes = 32 << 10
	idleTimeout    = 30 * time.Second
)

// New makes a client. It connects to nothing.
func New(o Options) *Client {
	c := &Client{opts: o}
	if c.opts.Clock == nil {
		c.opts.Clock = clock.System{}
	}
	if c.opts.Secret == nil {
		c.opts.Secret = func(string) (config.Secret, error) { return "", nil }
	}
	c.http = &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            dialer(o.Allow),
			TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
			DisableCompression:     true, // The bound counts what is read.
			MaxResponseHeaderBytes: maxHeaderBytes,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        idleTimeout,
		},
	}
	return c
}

// dialer connects to public addresses, and to those that are allowed. The address that a name leads
// to is checked when it is connected to: an earlier look-up could have another answer.
func dialer(allowed config.Hosts) func(ctx context.Context, network, address string) (net.Conn, error) {
	var v4, v6 []netip.Prefix
	for _, p := range allowed.Networks {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	guard := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
	checked, open := &net.Dialer{Control: guard.Safe}, &net.Dialer{}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, _, err := net.SplitHostPort(address); err == nil && allowed.Named(host) {
			return open.DialContext(ctx, network, address)
		}
		return checked.DialContext(ctx, network, address)
	}
}

// request is one signed request.
type request struct {
	url     string
	secrets []string // As Standard Webhooks has them: whsec_ and base64. Each signs.
	id      string   // webhook-id.
	body    []byte
	timeout time.Duration
}

// response is the answer to a request, as far as it is read.
type response struct {
	status     int
	later      bool          // There is a header Retry-After.
	retryAfter time.Duration // 0: none that can be read.
	json       bool          // The body says that it is JSON.
	body       []byte        // At most maxAnswerBytes.
	tooLong    bool
}

const opSend = "send webhook"

// userAgent names this program in the log of the receiver.
const userAgent = "healthcare-platform-webhook"

// send sends a request. KindPermanent when its address is not allowed or cannot be trusted,
// KindTransient when there is no complete answer.
func (c *Client) send(ctx context.Context, r request) (response, error) {
	now := c.opts.Clock.Now()
	signatures, err := sign(r, now)
	if err != nil {
		return response{}, errs.Wrap(err, errs.KindPermanent, opSend, "the request cannot be signed")
	}
	timed, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(timed, http.MethodPost, r.url, bytes.NewReader(r.body))
	if err != nil {
		return response{}, errs.Wrap(err, errs.KindPermanent, opSend, "the URL cannot be requested; correct it in the blueprint")
	}
	req.Header.Set("Content-Type", "application/cloudevents+json")
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set(standardwebhooks.HeaderWebhookID, r.id)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, signatures)
	tracing.SetHeader(ctx, req.Header)
	answer, err := c.http.Do(req)
	if err != nil {
		return response{}, noAnswer(ctx, err, r.timeout)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswerBytes+1))
	if err != nil {
		return response{}, noAnswer(ctx, err, r.timeout)
	}
	later := answer.Header.Get("Retry-After")
	out := response{status: answer.StatusCode, json: isJSON(answer.Header.Get("Content-Type")), later: later != ""}
	if pause, ok := retry.After(later, now); ok {
		out.retryAfter = max(pause, time.Millisecond)
	}
	if out.tooLong = len(body) > maxAnswerBytes; !out.tooLong {
		out.body = body
	}
	return out, nil
}

// sign signs a request with each of its secrets.
func sign(r request, at time.Time) (string, error) {
	var all []string
	for _, secret := range r.secrets {
		signer, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return "", err
		}
		signature, err := signer.Sign(r.id, at, r.body)
		if err != nil {
			return "", err
		}
		all = append(all, signature)
	}
	return strings.Join(all, " "), nil
}

// noAnswer is the error of a request without a complete answer. It names no address.
func noAnswer(ctx context.Context, err error, timeout time.Duration) error {
	var (
		untrusted *tls.CertificateVerificationError
		lookup    *net.DNSError
		timedOut  net.Error
	)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, ssrf.ErrProhibitedIP), errors.Is(err, ssrf.ErrProhibitedNetwork):
		return errs.Wrap(err, errs.KindPermanent, opSend, "the host has an address that is not public, so nothing was sent; if it is meant, name the host or its network in %s", config.WebhookAllow)
	case errors.As(err, &untrusted):
		return errs.Wrap(err, errs.KindPermanent, opSend, "the certificate of the server is not trusted, so nothing was sent; correct it, or add its authority to the system's")
	case errors.As(err, &lookup):
		return errs.Wrap(err, errs.KindTransient, opSend, "the name of the host could not be resolved")
	case errors.As(err, &timedOut) && timedOut.Timeout():
		return errs.Wrap(err, errs.KindTransient, opSend, "there was no answer within %v", timeout)
	default:
		return errs.Wrap(err, errs.KindTransient, opSend, "the connection failed or broke off before there was an answer")
	}
}

func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	media = strings.TrimSpace(media)
	return media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}
