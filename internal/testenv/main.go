//go:build unix

// Package testenv gives tests the services of a platform, the real ones: PostgreSQL with a
// database for each test, a Stellar network, a mail server, a browser, and the programs of
// this repository and the Terraform CLIs as processes. A test names what it needs:
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
//
//	func TestInvite(t *testing.T) {
//		database := testenv.Database(t)
//		network := testenv.Network(t)
//		mail := testenv.Mail(t)
//
// What tests share (the PostgreSQL server, the Soroban host, built programs) is made by the
// first test that needs it and ends with the test binary. Everything else ends with its
// test.
package testenv

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

// shared is what the tests of this binary share.
var shared struct {
	mu      sync.Mutex
	main    bool // Main runs, so what is added here ends.
	cleanup []func() error
}

// Main runs the tests of a package, then ends what they shared. TestMain calls it last; it
// does not return.
func Main(m *testing.M) {
	shared.mu.Lock()
	shared.main = true
	shared.mu.Unlock()
	code := m.Run()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	var err error
	for i := len(shared.cleanup) - 1; i >= 0; i-- {
		err = errors.Join(err, shared.cleanup[i]())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testenv: clean up:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// addCleanup adds a function that Main calls after the tests, the last added first.
func addCleanup(f func() error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.cleanup = append(shared.cleanup, f)
}

// once makes something that all tests share, with the first test that needs it. A test
// that needs it fails if it could not be made.
type once[T any] struct {
	once  sync.Once
	make  func() (T, error)
	value T
	err   error
}

func (o *once[T]) get(t testing.TB) T {
	t.Helper()
	shared.mu.Lock()
	running := shared.main
	shared.mu.Unlock()
	if !running {
		t.Fatal("testenv: TestMain of this package must call testenv.Main, which ends what tests share")
	}
	o.once.Do(func() { o.value, o.err = o.make() })
	if o.err != nil {
		t.Fatalf("testenv: %v", o.err)
	}
	return o.value
}
