package limits

import (
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
)

// maxBuckets limits a limiter's memory; a bucket takes about 200 bytes.
const maxBuckets = 10_000

// RateLimiter has a bucket of tokens per name, full at first and refilled within a minute.
// Buckets live in two generations: when the current one has half of all buckets, it becomes
// the previous one, and buckets that were not used since the last change are dropped.
type RateLimiter struct {
	perMinute int
	clock     clock.Clock

	mu                sync.Mutex
	current, previous map[string]*bucket
}

type bucket struct {
	tokens     *rate.Limiter
	reportedAt time.Time // Time of the last recorded rejection.
	suppressed int       // Rejections since then.
}

// NewRateLimiter returns a limiter with that many tokens per minute and name.
func NewRateLimiter(perMinute int, clock clock.Clock) *RateLimiter {
	return &RateLimiter{perMinute: perMinute, clock: clock, current: map[string]*bucket{}}
}

// Decision is a limiter's result for one request.
type Decision struct {
	Allowed    bool
	limit      int
	remaining  int
	retryAfter time.Duration // Until the next token.
	resetAfter time.Duration // Until the bucket is full.
	report     bool          // The rejection is the first in this minute and must be recorded.
	suppressed int           // Unrecorded rejections before it.
}

// Take takes one token.
func (l *RateLimiter) Take(name string) Decision { return l.TakeOf(name, 0) }

// TakeOf takes one token of a name that has so many per minute, 0: as many as others. It has them
// from its first request on.
func (l *RateLimiter) TakeOf(name string, perMinute int) Decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	if perMinute == 0 {
		perMinute = l.perMinute
	}
	now, b := l.clock.Now(), l.bucket(name, perMinute)
	d := Decision{Allowed: b.tokens.AllowN(now, 1), limit: perMinute}
	tokens := b.tokens.TokensAt(now)
	d.remaining = max(0, int(tokens))
	d.resetAfter = refillTime(float64(perMinute)-tokens, perMinute)
	if d.Allowed {
		return d
	}
	d.retryAfter = refillTime(1-tokens, perMinute)
	if b.reportedAt.IsZero() || now.Sub(b.reportedAt) >= time.Minute {
		d.report, d.suppressed = true, b.suppressed
		b.reportedAt, b.suppressed = now, 0
	} else {
		b.suppressed++
	}
	return d
}

// Exhausted reports whether a name has no token left. It does not take one.
func (l *RateLimiter) Exhausted(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.current[name]
	if b == nil {
		b = l.previous[name]
	}
	return b != nil && b.tokens.TokensAt(l.clock.Now()) < 1
}

func refillTime(tokens float64, perMinute int) time.Duration {
	return time.Duration(tokens / float64(perMinute) * float64(time.Minute))
}

// bucket returns the bucket of a name, a new one if needed.
func (l *RateLimiter) bucket(name string, perMinute int) *bucket {
	b := l.current[name]
	if b != nil {
		return b
	}
	if b = l.previous[name]; b == nil {
		b = &bucket{tokens: rate.NewLimiter(rate.Limit(float64(perMinute)/60), perMinute)}
	}
	if len(l.current) >= maxBuckets/2 {
		l.previous, l.current = l.current, map[string]*bucket{}
	}
	l.current[name] = b
	return b
}

// SetHeaders writes the RateLimit headers.
func (d Decision) SetHeaders(h http.Header) {
	h.Set("RateLimit-Limit", strconv.Itoa(d.limit))
	h.Set("RateLimit-Remaining", strconv.Itoa(d.remaining))
	h.Set("RateLimit-Reset", CeilSeconds(d.resetAfter))
}

// Problem returns the 429 for a rejected request.
func (d Decision) Problem(detail string) *problem.Problem {
	p := problem.New(http.StatusTooManyRequests, detail).WithHeader("Retry-After", CeilSeconds(d.retryAfter))
	if d.suppressed > 0 {
		p = p.WithAudit(map[string]any{"suppressedBefore": d.suppressed})
	}
	if !d.report {
		p = p.WithoutAudit()
	}
	return p
}

// CeilSeconds returns a duration in whole seconds, rounded up, at least 1.
func CeilSeconds(d time.Duration) string { return strconv.Itoa(max(1, int(math.Ceil(d.Seconds())))) }

// AddressPrefix is the key of a limit: an IPv4 address, or the /64 of an IPv6 address,
// because one client usually has a whole /64.
func AddressPrefix(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	prefix, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}
