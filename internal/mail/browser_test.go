package mail_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
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
	for _, width := range testenv.Variants(t, testenv.BrowserWidths...) {
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

// TestMailer_ReadableInLightAndDark: each text of the product's mails stands out from what is
// behind it, also in a dark mail program, at each width (WCAG 2.2, 1.4.3).
func TestMailer_ReadableInLightAndDark(t *testing.T) {
	t.Parallel()
	b := setup(t, mailcatcher.Options{})
	b.options.Blueprints = blueprints{"clinic": parseBlueprint(t, clinicCloud, map[string]string{"mail/logo.png": string(logo(t))})}
	to := testTenant()
	to.Blueprint = "clinic"
	m := b.mailer(t)
	if err := m.SendWelcome(t.Context(), welcomeMail(to), patient); err != nil {
		t.Fatal(err)
	}
	reminder := welcomeMail(to)
	reminder.Reminder = true
	if err := m.SendWelcome(t.Context(), reminder, patient); err != nil {
		t.Fatal(err)
	}
	if err := m.SendFailure(t.Context(), provisioning.FailureMail{Tenant: to}, patient); err != nil {
		t.Fatal(err)
	}
	var pages []string
	for _, message := range b.catcher.Messages() {
		pages = append(pages, message.HTML)
	}
	assertReadable(t, pages)
}

// TestPreview_ExamplePlatformIsReadable: so do the mails of examples/blueprints/clinic, in each
// of its languages.
func TestPreview_ExamplePlatformIsReadable(t *testing.T) {
	t.Parallel()
	files, err := blueprint.ReadDir("../../examples/blueprints/clinic")
	if err != nil {
		t.Fatal(err)
	}
	clinic, err := blueprint.Parse(files)
	if err != nil {
		t.Fatal(err)
	}
	var pages []string
	for _, locale := range []string{"en", "de-AT"} {
		for _, name := range blueprint.MailNames() {
			m, err := mail.Preview(clinic, name, locale)
			if err != nil {
				t.Fatal(err)
			}
			if language, _, _ := strings.Cut(locale, "-"); !strings.Contains(m.HTML, `<html lang="`+language+`">`) {
				t.Errorf("the mail %s for %s is in another language", name, locale)
			}
			pages = append(pages, m.HTML)
		}
	}
	assertReadable(t, pages)
}

// assertReadable measures pages at each width, light and dark. Their backgrounds differ.
func assertReadable(t *testing.T, pages []string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		number, err := strconv.Atoi(strings.Trim(r.URL.Path, "/"))
		if err != nil || number >= len(pages) {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(pages[number]))
	}))
	t.Cleanup(server.Close)
	for _, width := range testenv.Variants(t, testenv.BrowserWidths...) {
		ctx := testenv.Browser(t, width)
		backgrounds := map[string]string{}
		for _, scheme := range []string{"light", "dark"} {
			testenv.SetColorScheme(t, ctx, scheme)
			for number := range pages {
				if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/"+strconv.Itoa(number))); err != nil {
					t.Fatal(err)
				}
				page, err := chromedp.Run(ctx, chromedp.Evaluate[testenv.Contrast](testenv.MeasureContrast))
				if err != nil {
					t.Fatal(err)
				}
				if page.Lowest < 4.5 || page.Texts < 5 || page.Width > float64(width) {
					t.Errorf("page %d, %s, at %d px: %+v", number, scheme, width, page)
				}
				backgrounds[scheme] = page.Background
			}
		}
		if backgrounds["light"] == backgrounds["dark"] {
			t.Errorf("the pages do not follow the scheme: %v", backgrounds)
		}
	}
}

// layout is where things are on a page, in CSS pixels: the page's width, and the sides and
// the height of the link to choose a password.
type layout struct{ Page, Left, Right, Height float64 }
