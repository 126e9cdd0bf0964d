//go:build unix

package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// BrowserVariable is the environment variable with the browser to test pages with.
// Default: chromium or google-chrome of PATH.
const BrowserVariable = "CHROMIUM"

// BrowserWidths are the widths at which pages are tested, in CSS pixels: a phone, a tablet,
// a desktop.
var BrowserWidths = []int64{360, 768, 1280}

// browserLimit is how long a test may use the browser.
const browserLimit = 3 * time.Minute

// sharedBrowser is the browser of the test binary, as a context of chromedp: its start takes longer
// than many a test.
var sharedBrowser = once[context.Context]{make: startBrowser}

func startBrowser() (context.Context, error) {
	path := browserPath()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // Containers lack what its sandbox needs, and root may not use it.
		chromedp.Flag("disable-dev-shm-usage", true),
	)
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(ctx)
	addCleanup(func() error { end(); stop(); return nil })
	if err := chromedp.Do(ctx); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return ctx, nil
}

// Browser gives a test a headless Chromium with a page of this width in CSS pixels, and with
// cookies, storage and a window of its own. They end with the test, or after three minutes. The
// result is the context for chromedp.Run and chromedp.Do.
func Browser(t testing.TB, width int64) context.Context {
	t.Helper()
	if browserPath() == "" {
		SkipUnlessCI(t, "no browser is installed: apt-get install chromium, or set "+BrowserVariable)
	}
	ctx, cancel := context.WithTimeout(sharedBrowser.get(t), browserLimit)
	t.Cleanup(cancel)
	// A tab behind another one of the same window would not be drawn.
	ctx, closePage := chromedp.NewContext(ctx, chromedp.WithNewBrowserContext(), chromedp.WithNewWindow(true))
	t.Cleanup(closePage)
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900)); err != nil {
		t.Fatalf("open a page: %v", err)
	}
	return ctx
}

// SetColorScheme lets pages of a browser see "light" or "dark" as the user's wish.
func SetColorScheme(t testing.TB, ctx context.Context, scheme string) { //nolint:revive // testing.TB comes first in this package.
	t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
		t.Fatal(err)
	}
}

// Contrast is what MeasureContrast finds on a page.
type Contrast struct {
	Lowest     float64 // Contrast of the text that stands out least.
	Text       string  // That text.
	Texts      int
	Background string
	Width      float64
}

// MeasureContrast is an expression for the Contrast of a page, for chromedp.Evaluate: how much each text
// stands out from what is behind it (WCAG 2.2, 1.4.3). Hidden texts do not count.
const MeasureContrast = `(() => {
	const rgb = css => css.match(/[\d.]+/g).map(Number)
	const luminance = c => c.slice(0, 3).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0)
	const behind = e => {
		for (; e; e = e.parentElement) {
			const c = rgb(getComputedStyle(e).backgroundColor)
			if (c.length < 4 || c[3] > 0) return c
		}
		return [255, 255, 255]
	}
	const found = {Lowest: 99, Text: "", Texts: 0, Background: getComputedStyle(document.body).backgroundColor, Width: document.documentElement.scrollWidth}
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
	while (walker.nextNode()) {
		const node = walker.currentNode
		if (!node.textContent.trim() || !node.parentElement.getClientRects().length) continue
		const [a, b] = [luminance(rgb(getComputedStyle(node.parentElement).color)), luminance(behind(node.parentElement))]
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
		found.Texts++
		if (ratio < found.Lowest) { found.Lowest = ratio; found.Text = node.textContent }
	}
	return found
})()`

// browserPath is the path of the browser, empty without one.
func browserPath() string {
	if path := os.Getenv(BrowserVariable); path != "" {
		return path
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
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
