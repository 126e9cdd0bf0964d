package mailcatcher_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestWeb_Browser: the page fits each width, and a script in a mail does not run.
func TestWeb_Browser(t *testing.T) {
	t.Parallel()
	c := start(t, mailcatcher.Options{})
	content := "Subject: " + strings.Repeat("W", 200) + "\r\nContent-Type: text/html\r\n\r\n" +
		`<p id="mail">mail</p><script>top.document.title = "changed"; document.title = "changed"</script><img src=x onerror="top.document.title = 'changed'">` + "\r\n"
	if err := send(c, nil, content); err != nil {
		t.Fatal(err)
	}
	for _, width := range testenv.Variants(t, testenv.BrowserWidths...) {
		ctx := testenv.Browser(t, width)
		if err := chromedp.Do(ctx, chromedp.Navigate(c.URL()), chromedp.WaitVisible(chromedp.CSS("iframe"))); err != nil {
			t.Fatal(err)
		}
		title, err := chromedp.Run(ctx, chromedp.Title())
		if err != nil {
			t.Fatal(err)
		}
		scroll, err := chromedp.Run(ctx, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`))
		if err != nil {
			t.Fatal(err)
		}
		if title != "(1) Caught mail" || scroll > width {
			t.Errorf("at %d px: title %q, %d px wide", width, title, scroll)
		}
	}
	ctx := testenv.Browser(t, testenv.BrowserWidths[0])
	if err := chromedp.Do(ctx, chromedp.Navigate(c.URL()), chromedp.Click(chromedp.CSS("form button")), chromedp.WaitVisible(chromedp.CSS(".none"))); err != nil {
		t.Fatal(err)
	}
	if n := len(c.Messages()); n != 0 {
		t.Errorf("%d messages after the button Empty", n)
	}
}
