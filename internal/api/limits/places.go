package limits

import (
	"fmt"
	"net/http"
	"sync"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
)

// Places limits how many long responses of one kind are open at once: of all callers, and of
// one caller, so that no caller can take all of them.
type Places struct {
	what, remedy     string // For problems: "event streams", "poll ...".
	total, perCaller int

	mu       sync.Mutex
	taken    int
	byCaller map[string]int
}

// NewPlaces returns places for total responses, of which one caller may have a part: total
// divided by share, at least one.
func NewPlaces(what, remedy string, total, share int) *Places {
	return &Places{what: what, remedy: remedy, total: total, perCaller: max(1, total/share), byCaller: map[string]int{}}
}

// Take takes a place for a caller until leave is called, once. It returns a problem when the
// caller, or all callers together, have all their places.
func (p *Places) Take(caller string) (leave func(), refused *problem.Problem) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.taken >= p.total:
		return nil, problem.New(http.StatusServiceUnavailable, fmt.Sprintf(
			"this server has %d %s open, its limit; try again, or %s", p.taken, p.what, p.remedy))
	case p.byCaller[caller] >= p.perCaller:
		return nil, problem.New(http.StatusTooManyRequests, fmt.Sprintf(
			"this key has %d %s open, the limit of one key, of the server's %d; close one, or %s", p.byCaller[caller], p.what, p.total, p.remedy)).
			WithHeader("Retry-After", problem.RetryAfterSeconds)
	}
	p.taken++
	p.byCaller[caller]++
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.taken--
		if p.byCaller[caller]--; p.byCaller[caller] == 0 {
			delete(p.byCaller, caller)
		}
	}), nil
}

// Taken returns the number of places that are taken.
func (p *Places) Taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}
