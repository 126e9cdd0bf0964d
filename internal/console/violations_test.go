//go:build unix

package console_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// violations are what the browser logged as errors: violations of the content security policy, failed requests and
// exceptions of scripts.
type violations struct {
	mu    sync.Mutex
	found []string
}

// watch collects them until the test ends, and fails it then.
func (v *violations) watch(t *testing.T, ctx context.Context) { //nolint:revive // testing.T comes first in these tests.
	t.Helper()
	note := func(text string) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.found = append(v.found, text)
	}
	err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError {
				note(e.Entry.Text + " " + e.Entry.URL)
			}
		case *runtime.EventExceptionThrown:
			note(e.ExceptionDetails.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, text := range v.all() {
			t.Errorf("the browser logged: %s", text)
		}
	})
}

func (v *violations) all() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.found
}

// expect takes the errors with a text out of those that fail the test; there has to be one.
func (v *violations) expect(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !v.take(text); time.Sleep(20 * time.Millisecond) { // The log comes after the page.
		if time.Now().After(deadline) {
			t.Fatalf("the browser logged no error with %q, but %q", text, v.all())
		}
	}
}

// take removes the errors with a text; false: there was none.
func (v *violations) take(text string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	before := len(v.found)
	v.found = slices.DeleteFunc(v.found, func(found string) bool { return strings.Contains(found, text) })
	return before > len(v.found)
}

// drop forgets what was logged: the test has cut the connection.
func (v *violations) drop() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.found = nil
}
