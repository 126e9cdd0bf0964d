package mail_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestMailer_FitsEachWidth: the welcome mail of a tenant with the longest names needs no
// horizontal scrolling, and its button can be seen.
func TestMailer_FitsEachWidth(t *testing.T) {
	t.Parallel()
	b := setup(t, mailcatcher.Options{})
	to := testTenant()
	to.Name, to.AdminFirstName = strings.Repeat("W", tenant.MaxNameLength), strings.Repeat("č", tenant.MaxPersonName)
	if err := b.mailer(t).SendWelcome(t.Context(), welcomeMail(to), patient); err != nil {
		t.Fatal(err)
	}
	mail := b.onlyMessage(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(mail.HTML))
	}))
	t.Cleanup(server.Close)
	for _, width := range testenv.BrowserWidths {
		ctx := testenv.Browser(t, width)
		if err := chromedp.Do(ctx, chromedp.Navigate(server.URL)); err != nil {
			t.Fatal(err)
		}
		layout, err := chromedp.Run(ctx, chromedp.Evaluate[layout](`(() => {
			const link = [...document.links].find(a => a.href.includes("#invitation="))
			const box = link ? link.getBoundingClientRect() : {left: -1, right: -1, height: 0}
			return {Page: document.documentElement.scrollWidth, Left: box.left, Right: box.right, Height: box.height}
		})()`))
		if err != nil {
			t.Fatal(err)
		}
		if layout.Page > float64(width) || layout.Left < 0 || layout.Right > float64(width) || layout.Height < 16 {
			t.Errorf("at %d px: %+v", width, layout)
		}
	}
}

// layout is where things are on a page, in CSS pixels: the page's width, and the sides and
// the height of the link to choose a password.
type layout struct{ Page, Left, Right, Height float64 }
