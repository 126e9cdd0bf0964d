//go:build unix

package pagetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// pageTimeout is the time for a page to get into a state.
const pageTimeout = 20 * time.Second

// Page is a browser with the page of an invitation.
type Page struct {
	Context context.Context // For chromedp.Run and chromedp.Do.
	t       testing.TB
}

// Open starts a browser of a width in CSS pixels, with an empty page.
func Open(t testing.TB, width int64) *Page {
	t.Helper()
	return &Page{testenv.Browser(t, width), t}
}

// Visit opens a link, and waits for a state of its page.
func (p *Page) Visit(link, view string) {
	p.t.Helper()
	p.Do(chromedp.Navigate(link))
	p.Want(view)
}

// Want waits for a state of the page: loading, form, expired, accepted, revoked, unknown, sent,
// failed, done, unreachable or error.
func (p *Page) Want(view string) {
	p.t.Helper()
	p.WaitFor(fmt.Sprintf(`document.body.dataset.view === %q`, view))
}

// WantProblem waits for a text about the password.
func (p *Page) WantProblem(text string) {
	p.t.Helper()
	p.WaitFor(fmt.Sprintf(`document.getElementById("problem").textContent.includes(%q)`, text))
}

// Choose types a password and presses Enter.
func (p *Page) Choose(password string) {
	p.t.Helper()
	Evaluate[string](p, `document.getElementById("password").value = ""`)
	p.Do(chromedp.SendKeys(chromedp.CSS("#password"), password+"\r"))
}

// Act presses the only button of a page without a form, such as that for a new invitation.
func (p *Page) Act() {
	p.t.Helper()
	p.Do(chromedp.Click(chromedp.CSS("#act")))
}

// Text is what a person reads.
func (p *Page) Text() string {
	p.t.Helper()
	return Evaluate[string](p, `document.body.innerText`)
}

// Do runs actions in the browser.
func (p *Page) Do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.Context, actions...); err != nil {
		p.t.Fatalf("%v; the page shows %q", err, p.Text())
	}
}

// Evaluate returns the value of an expression in the page.
func Evaluate[T any](p *Page, expression string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.Context, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Errorf("%s: %v", expression, err)
	}
	return value
}

// WaitFor waits until an expression is true, also across a navigation, which ends chromedp.Poll.
func (p *Page) WaitFor(expression string) {
	p.t.Helper()
	deadline := time.Now().Add(pageTimeout)
	for {
		found, err := chromedp.Run(p.Context, chromedp.Evaluate[bool](expression))
		if err == nil && found {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s: %t, %v; the page shows %q", expression, found, err, p.Text())
		}
		time.Sleep(20 * time.Millisecond) // A page can only be polled.
	}
}

// WantAccessible fails the test for each finding of axe-core, also for what it cannot decide: a
// person has to look at that, and change the page or its test. The state names the page in messages.
func (p *Page) WantAccessible(axe testenv.Axe, state string) {
	p.t.Helper()
	report, err := axe.Run(p.Context)
	if err != nil {
		p.t.Fatalf("%s: %v", state, err)
	}
	if len(report.Violations)+len(report.Incomplete) > 0 {
		p.t.Errorf("%s: violations:%s\nundecided:%s", state, testenv.AxeLines(report.Violations), testenv.AxeLines(report.Incomplete))
	}
	if len(report.Passed) < 10 || !slices.Contains(report.Passed, "color-contrast") || !slices.Contains(report.Passed, "page-has-heading-one") {
		p.t.Errorf("%s: only %v were checked", state, report.Passed)
	}
}
