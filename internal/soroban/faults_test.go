package soroban_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// watched is the real transaction log with hooks for tests.
type watched struct {
	txlog.Log
	beforeStore, afterStore func(tx txlog.Transaction)
	afterFeeBump            func()
	killed                  bool // The process dies without releasing the account.
}

func (w watched) Account(ctx context.Context, networkID, address string) (txlog.AccountLease, error) {
	lease, err := w.Log.Account(ctx, networkID, address)
	return watchedLease{lease, w}, err
}

func (w watched) Channel(ctx context.Context, networkID, deployer string, count int, least int64) (txlog.AccountLease, error) {
	lease, err := w.Log.Channel(ctx, networkID, deployer, count, least)
	return watchedLease{lease, w}, err
}

type watchedLease struct {
	txlog.AccountLease
	w watched
}

func (l watchedLease) Store(ctx context.Context, tx txlog.Transaction) error {
	if l.w.beforeStore != nil {
		l.w.beforeStore(tx)
	}
	err := l.AccountLease.Store(ctx, tx)
	if err == nil && l.w.afterStore != nil {
		l.w.afterStore(tx)
	}
	return err
}

func (l watchedLease) StoreFeeBump(ctx context.Context, hash, envelope string, maxFee int64) error {
	err := l.AccountLease.StoreFeeBump(ctx, hash, envelope, maxFee)
	if err == nil && l.w.afterFeeBump != nil {
		l.w.afterFeeBump()
	}
	return err
}

func (l watchedLease) Release(ctx context.Context, r txlog.AccountRelease) error {
	if l.w.killed {
		return nil
	}
	return l.AccountLease.Release(ctx, r)
}

// wire is the network between deployer and server, with hooks for tests: before a call
// is sent, and after its response has arrived.
type wire struct {
	before  func(method string)
	request func(method string, body []byte)
	after   func(method string, answer []byte) []byte // The response to return; nil: the original.
}

func (w *wire) client() *http.Client {
	return &http.Client{Transport: w, Timeout: 10 * time.Second}
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var q struct {
		Method string `json:"method"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, err
	}
	if w.before != nil {
		w.before(q.Method)
	}
	if w.request != nil {
		w.request(q.Method, body)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || w.after == nil {
		return answer, err
	}
	got, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if changed := w.after(q.Method, got); changed != nil {
		got = changed
	}
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(got)), int64(len(got))
	return answer, err
}

// attemptOnce makes f fail only the n-th time.
func once(n int, f func()) func() {
	var mu sync.Mutex
	calls := 0
	return func() {
		mu.Lock()
		calls++
		strike := calls == n
		mu.Unlock()
		if strike {
			f()
		}
	}
}

// on calls f only for one method.
func on(method string, f func()) func(string) {
	return func(called string) {
		if called == method {
			f()
		}
	}
}

// jsonAnswer is an invented response.
func jsonAnswer(result any) (*http.Response, error) {
	raw, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "result": result})
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(raw))}, nil
}

// sleeper is the real clock that calls a hook after a number of pauses.
type sleeper struct {
	clock.System
	mu   sync.Mutex
	left int
	then func()
}

func (s *sleeper) after(n int, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.then = n, f
}

func (s *sleeper) Sleep(ctx context.Context, d time.Duration) error {
	s.mu.Lock()
	then := func() {}
	if s.left--; s.left == 0 {
		then = s.then
	}
	s.mu.Unlock()
	then()
	return s.System.Sleep(ctx, d)
}

// hurried is a clock on which timeouts end a hundred times earlier.
type hurried struct {
	clock.System
	began time.Time
}

func (h hurried) Now() time.Time { return h.began.Add(100 * time.Since(h.began)) }
