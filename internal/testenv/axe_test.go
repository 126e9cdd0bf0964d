//go:build unix

package testenv_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestAxe: it finds violations, also by rules that axe-core leaves out by default, on a page whose
// policy permits no script, and sees what it cannot decide.
func TestAxe(t *testing.T) {
	t.Parallel()
	const head = `<!doctype html><html lang="en"><title>Page</title><main><h1>Page</h1>`
	pages := map[string]string{
		"/good": head + `<p>Text</p><button>Press</button>`,
		"/bad":  head + `<img src="data:,"><p style="color:#aaa">Faint</p><h4>Level</h4><button style="width:9px;height:9px;padding:0" aria-label="a"></button><button style="width:9px;height:9px;padding:0" aria-label="b"></button>`,
		"/open": head + `<p style="background:linear-gradient(#fff,#000)">Text</p>`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		_, _ = w.Write([]byte(pages[r.URL.Path]))
	}))
	t.Cleanup(server.Close)
	axe, ctx := testenv.NewAxe(t), testenv.Browser(t, 360)
	run := func(path string) testenv.AxeReport {
		t.Helper()
		if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+path)); err != nil {
			t.Fatal(err)
		}
		report, err := axe.Run(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	if good := run("/good"); len(good.Violations)+len(good.Incomplete) > 0 || !slices.Contains(good.Passed, "target-size") || !slices.Contains(good.Passed, "color-contrast") || !slices.Contains(good.Passed, "region") {
		t.Errorf("%+v", good)
	}
	bad := run("/bad")
	for _, rule := range []string{"image-alt", "color-contrast", "heading-order", "target-size"} {
		if !slices.ContainsFunc(bad.Violations, func(f testenv.AxeFinding) bool { return f.Rule == rule }) {
			t.Errorf("%s is not found:%s", rule, testenv.AxeLines(bad.Violations))
		}
	}
	if open := run("/open"); len(open.Incomplete) != 1 || open.Incomplete[0].Rule != "color-contrast" || open.Incomplete[0].Target != "p" {
		t.Errorf("%+v", open)
	}
}
