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

// maxBuckets bounds a limiter's memory, at some 200 bytes each.
const maxBuckets = 10_000

// RateLimiter gives each of many names a bucket of tokens, full at first and filled
// up again within a minute. Buckets live in two generations: when the young one
// has half of all buckets it becomes the old one, and what was not used since the
// last time is forgotten.
type RateLimiter struct {
	perMinute int
	clock     clock.Clock

	mu                sync.Mutex
	current, previous map[string]*bucket
}

type bucket struct {
	tokens     *rate.Limiter
	reportedAt time.Time // When a refusal was last recorded.
	suppressed int       // Refusals since.
}

// NewRateLimiter makes a limiter of so many tokens a minute and name.
func NewRateLimiter(perMinute int, clock clock.Clock) *RateLimiter {
	return &RateLimiter{perMinute: perMinute, clock: clock, current: map[string]*bucket{}}
}

// Decision is what a limiter says to one request.
type Decision struct {
	Allowed    bool
	limit      int
	remaining  int
	retryAfter time.Duration // Until there is a token again.
	resetAfter time.Duration // Until the bucket is full again.
	report     bool          // Of a refusal: it is the first of a minute, and recorded.
	suppressed int           // Refusals before it that were not.
}

// Take takes a token.
func (l *RateLimiter) Take(name string) Decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, b := l.clock.Now(), l.bucket(name)
	d := Decision{Allowed: b.tokens.AllowN(now, 1), limit: l.perMinute}
	tokens := b.tokens.TokensAt(now)
	d.remaining = max(0, int(tokens))
	d.resetAfter = l.refillTime(float64(l.perMinute) - tokens)
	if d.Allowed {
		return d
	}
	d.retryAfter = l.refillTime(1 - tokens)
	if b.reportedAt.IsZero() || now.Sub(b.reportedAt) >= time.Minute {
		d.report, d.suppressed = true, b.suppressed
		b.reportedAt, b.suppressed = now, 0
	} else {
		b.suppressed++
	}
	return d
}

// Exhausted reports whether a name has no token left. It takes none.
func (l *RateLimiter) Exhausted(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.current[name]
	if b == nil {
		b = l.previous[name]
	}
	return b != nil && b.tokens.TokensAt(l.clock.Now()) < 1
}

func (l *RateLimiter) refillTime(tokens float64) time.Duration {
	return time.Duration(tokens / float64(l.perMinute) * float64(time.Minute))
}

// bucket finds or makes the bucket of a name.
func (l *RateLimiter) bucket(name string) *bucket {
	b := l.current[name]
	if b != nil {
		return b
	}
	if b = l.previous[name]; b == nil {
		b = &bucket{tokens: rate.NewLimiter(rate.Limit(float64(l.perMinute)/60), l.perMinute)}
	}
	if len(l.current) >= maxBuckets/2 {
		l.previous, l.current = l.current, map[string]*bucket{}
	}
	l.current[name] = b
	return b
}

// SetHeaders tells a caller where he stands.
func (d Decision) SetHeaders(h http.Header) {
	h.Set("RateLimit-Limit", strconv.Itoa(d.limit))
	h.Set("RateLimit-Remaining", strconv.Itoa(d.remaining))
	h.Set("RateLimit-Reset", CeilSeconds(d.resetAfter))
}

// Problem refuses a request for which there is no token.
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

// CeilSeconds are whole ones, rounded up: who waits that long has waited long enough.
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
