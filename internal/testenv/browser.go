//go:build unix

package testenv

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// BrowserVariable is the environment variable with the browser to test pages with.
// Default: chromium or google-chrome of PATH.
const BrowserVariable = "CHROMIUM"

// BrowserWidths are the widths at which pages are tested, in CSS pixels: a phone, a tablet,
// a desktop.
var BrowserWidths = []int64{360, 768, 1280}

// browserLimit is how long a browser may take for a test.
const browserLimit = time.Minute

// Browser starts a headless Chromium with a page of this width in CSS pixels. It ends with
// the test, or after a minute. The result is the context for chromedp.Run and chromedp.Do.
func Browser(t testing.TB, width int64) context.Context {
	t.Helper()
	path := browser(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // Containers lack what its sandbox needs, and root may not use it.
		chromedp.Flag("disable-dev-shm-usage", true),
	)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), browserLimit)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, closePage := chromedp.NewContext(ctx)
	t.Cleanup(closePage)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900)); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return ctx
}

func browser(t testing.TB) string {
	t.Helper()
	if path := os.Getenv(BrowserVariable); path != "" {
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	SkipUnlessCI(t, "no browser is installed: apt-get install chromium, or set "+BrowserVariable)
	return ""
}

// SkipUnlessCI skips a test on a developer's machine that lacks a tool. CI, which sets the
// environment variable CI, has all tools.
func SkipUnlessCI(t testing.TB, reason string) {
	t.Helper()
	if ci := os.Getenv("CI"); ci != "" && ci != "false" {
		t.Fatalf("CI=%s, and %s", ci, reason)
	}
	t.Skipf("NOT TESTED: %s", reason)
}
