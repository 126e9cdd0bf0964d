package api

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// maxBuckets bounds a limiter's memory, at some 200 bytes each.
const maxBuckets = 10_000

// limiter gives each of many names a bucket of tokens, full at first and filled
// up again within a minute. Buckets live in two generations: when the young one
// has half of all buckets it becomes the old one, and what was not used since the
// last time is forgotten.
type limiter struct {
	perMinute int
	clock     provisioning.Clock

	mu         sync.Mutex
	young, old map[string]*bucket
}

type bucket struct {
	tokens *rate.Limiter
	told   time.Time // When a refusal was last recorded.
	untold int       // Refusals since.
}

func newLimiter(perMinute int, clock provisioning.Clock) *limiter {
	return &limiter{perMinute: perMinute, clock: clock, young: map[string]*bucket{}}
}

// verdict is what a limiter says to one request.
type verdict struct {
	ok        bool
	limit     int
	remaining int
	wait      time.Duration // Until there is a token again.
	refill    time.Duration // Until the bucket is full again.
	tell      bool          // Of a refusal: it is the first of a minute, and recorded.
	untold    int           // Refusals before it that were not.
}

// take takes a token.
func (l *limiter) take(name string) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, b := l.clock.Now(), l.bucket(name)
	v := verdict{ok: b.tokens.AllowN(now, 1), limit: l.perMinute}
	left := b.tokens.TokensAt(now)
	v.remaining = max(0, int(left))
	v.refill = l.until(float64(l.perMinute) - left)
	if v.ok {
		return v
	}
	v.wait = l.until(1 - left)
	if b.told.IsZero() || now.Sub(b.told) >= time.Minute {
		v.tell, v.untold = true, b.untold
		b.told, b.untold = now, 0
	} else {
		b.untold++
	}
	return v
}

// exhausted reports whether a name has no token left. It takes none.
func (l *limiter) exhausted(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.young[name]
	if b == nil {
		b = l.old[name]
	}
	return b != nil && b.tokens.TokensAt(l.clock.Now()) < 1
}

func (l *limiter) until(tokens float64) time.Duration {
	return time.Duration(tokens / float64(l.perMinute) * float64(time.Minute))
}

// bucket finds or makes the bucket of a name.
func (l *limiter) bucket(name string) *bucket {
	b := l.young[name]
	if b != nil {
		return b
	}
	if b = l.old[name]; b == nil {
		b = &bucket{tokens: rate.NewLimiter(rate.Limit(float64(l.perMinute)/60), l.perMinute)}
	}
	if len(l.young) >= maxBuckets/2 {
		l.old, l.young = l.young, map[string]*bucket{}
	}
	l.young[name] = b
	return b
}

// headers tells a caller where he stands.
func (v verdict) headers(h http.Header) {
	h.Set("RateLimit-Limit", strconv.Itoa(v.limit))
	h.Set("RateLimit-Remaining", strconv.Itoa(v.remaining))
	h.Set("RateLimit-Reset", seconds(v.refill))
}

// problem refuses a request for which there is no token.
func (v verdict) problem(detail string) *Problem {
	p := newProblem(http.StatusTooManyRequests, detail).with("Retry-After", seconds(v.wait))
	p.quiet = !v.tell
	if v.untold > 0 {
		p.note = map[string]any{"notRecordedBefore": v.untold}
	}
	return p
}

// seconds are whole ones, rounded up: who waits that long has waited long enough.
func seconds(d time.Duration) string { return strconv.Itoa(max(1, int(math.Ceil(d.Seconds())))) }
