//go:build unix

package api_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv/pagetest"
)

// invitationProxy is between the browser and the server, which it passes requests on to. A test
// puts a fault in the place of an operation.
type invitationProxy struct {
	url    string
	server http.Handler

	mu       sync.Mutex
	faults   map[string]http.HandlerFunc // By operation.
	requests map[string]int              // By operation.
}

// behindProxy lets the browsers of a server reach it through a proxy.
func (b *testServer) behindProxy() *invitationProxy {
	b.t.Helper()
	target, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	p := &invitationProxy{server: httputil.NewSingleHostReverseProxy(target), faults: map[string]http.HandlerFunc{}, requests: map[string]int{}}
	front := httptest.NewServer(p)
	b.t.Cleanup(front.Close)
	p.url = front.URL
	return p
}

// ServeHTTP passes a request on, unless its operation has a fault.
func (p *invitationProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation := strings.TrimPrefix(r.URL.Path, "/invitations/")
	p.mu.Lock()
	fault := p.faults[operation]
	p.requests[operation]++
	p.mu.Unlock()
	if fault == nil {
		fault = p.server.ServeHTTP
	}
	fault(w, r)
}

// fail gives an operation a fault; nil ends it.
func (p *invitationProxy) fail(operation string, fault http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults[operation] = fault
}

// sent is the number of requests for an operation.
func (p *invitationProxy) sent(operation string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests[operation]
}

// answering answers with a status, as a proxy does whose server is busy or gone.
func answering(status int, retryAfter string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = w.Write([]byte("<h1>Sorry</h1>"))
	}
}

// noAnswer closes the connection.
func noAnswer(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// lostAnswer lets the server do what is asked for, and closes the connection.
func (p *invitationProxy) lostAnswer(_ http.ResponseWriter, r *http.Request) {
	p.server.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// held passes requests on when release is called.
func (p *invitationProxy) held() (fault http.HandlerFunc, release func()) {
	released := make(chan struct{})
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-released:
			p.server.ServeHTTP(w, r)
		case <-r.Context().Done(): // The page does not wait any more.
		}
	}, sync.OnceFunc(func() { close(released) })
}

// setLanguage sets the language of a browser.
func (p *invitationPage) setLanguage(language string) {
	p.t.Helper()
	agent := pagetest.Evaluate[string](p.Page, `navigator.userAgent`)
	if _, err := chromedp.Call(p.Context, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: language}); err != nil {
		p.t.Fatal(err)
	}
}

// hurry makes the timers and limits of the pages that are opened next a hundred times faster.
func (p *invitationPage) hurry() {
	p.t.Helper()
	const source = `{
		const timer = setTimeout, limit = AbortSignal.timeout
		window.setTimeout = (run, after) => timer(run, after / 100)
		AbortSignal.timeout = after => limit.call(AbortSignal, after / 100)
	}`
	if _, err := chromedp.Call(p.Context, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: source}); err != nil {
		p.t.Fatal(err)
	}
}

// setScripts turns the scripts of pages on or off.
func (p *invitationPage) setScripts(on bool) {
	p.t.Helper()
	if _, err := chromedp.Call[emulation.SetScriptExecutionDisabledParams, cdp.Empty](p.Context, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on}); err != nil {
		p.t.Fatal(err)
	}
}

// wantNotice waits for a text beside the button; what was typed is still there, and the button can
// be pressed.
func (p *invitationPage) wantNotice(text, typed string) {
	p.t.Helper()
	p.WaitFor(`document.getElementById("notice").textContent !== ""`)
	if notice := pagetest.Evaluate[string](p.Page, `document.getElementById("notice").textContent`); !strings.Contains(notice, text) {
		p.t.Errorf("the page says %q, want %q", notice, text)
	}
	if kept := pagetest.Evaluate[string](p.Page, `document.getElementById("password").value`); kept != typed {
		p.t.Error("the password is not there any more")
	}
	p.wantIdle()
}

// wantWorking waits until the page says to screen readers what it does; its button does nothing
// meanwhile, and keeps the focus.
func (p *invitationPage) wantWorking(text, button string) {
	p.t.Helper()
	p.WaitFor(`document.querySelector("[role=status]").innerText.includes("` + text + `")`)
	if state := pagetest.Evaluate[string](p.Page, `document.getElementById("`+button+`").getAttribute("aria-disabled")`); state != "true" {
		p.t.Errorf("aria-disabled is %q", state)
	}
	if active := p.focus(); active == "" {
		p.t.Error("nothing has the focus")
	}
}

// wantIdle fails the test if the page still says that it works.
func (p *invitationPage) wantIdle() {
	p.t.Helper()
	if pagetest.Evaluate[bool](p.Page, `document.querySelector("[aria-disabled]") !== null || document.querySelector("[role=status]").innerText !== "" || document.getElementById("password").readOnly`) {
		p.t.Errorf("the page still works: %q", p.Text())
	}
}

// focus is the id of the element with the focus.
func (p *invitationPage) focus() string {
	p.t.Helper()
	return pagetest.Evaluate[string](p.Page, `document.activeElement.id`)
}

// setupFaults is a browser with the form of an invitation, reached through a proxy.
func setupFaults(t *testing.T) (*testServer, *invitationProxy, *invitationPage, map[string]any, string) {
	t.Helper()
	b, made, token := setupInvited(t, clinic())
	b.clock.stop() // The limits do not refill by themselves.
	proxy := b.behindProxy()
	p := b.invitationPage(360)
	p.url = proxy.url
	return b, proxy, p, made, token
}

func TestInvitationPage_Faults(t *testing.T) {
	t.Parallel()

	t.Run("BusyAtAccept", func(t *testing.T) {
		b, _, p, made, token := setupFaults(t)
		p.open(token, "form")
		for b.inspect(token).status == http.StatusOK { // Uses up the token's requests.
		}
		p.Choose(password)
		p.wantNotice("Too many attempts. Try again in 6 seconds.", password)
		b.clock.advance(10 * time.Second)
		p.Do(chromedp.Click(chromedp.CSS("#submit")))
		p.Want("done")
		if !postgrestest.Verifies(b.passwordHash(made), password) {
			t.Error("the password does not log the admin in")
		}
	})

	t.Run("BusyAtOpening", func(t *testing.T) {
		b, proxy, p, _, token := setupFaults(t)
		for b.inspect(token).status == http.StatusOK {
		}
		p.open(token, "busy")
		if text := p.Text(); !strings.Contains(text, "Try again in 6 seconds.") {
			t.Errorf("%q", text)
		}
		for _, wait := range []struct{ header, text string }{
			{"90", "in 90 seconds"}, {"240", "in 4 minutes"}, {"100000", "in 60 minutes"}, {"", "in 60 seconds"}, {"soon", "in 60 seconds"}, {"-5", "in 1 second"},
			{time.Now().Add(30*time.Minute - time.Second).UTC().Format(http.TimeFormat), "in 30 minutes"},
		} {
			proxy.fail("inspect", answering(http.StatusTooManyRequests, wait.header))
			p.open(token, "busy")
			if text := p.Text(); !strings.Contains(text, "Try again "+wait.text+".") {
				t.Errorf("Retry-After %q: %q", wait.header, text)
			}
		}
		proxy.fail("inspect", nil)
		b.clock.advance(time.Minute)
		p.Do(chromedp.Click(chromedp.CSS("#act")))
		p.Want("form")
	})

	t.Run("AwayAtOpening", func(t *testing.T) {
		_, proxy, p, _, token := setupFaults(t)
		proxy.fail("inspect", noAnswer)
		p.open(token, "away")
		if active := p.focus(); active != "title" {
			t.Errorf("the focus is on %q", active)
		}
		proxy.fail("inspect", answering(http.StatusBadGateway, ""))
		p.Do(chromedp.Click(chromedp.CSS("#act")))
		p.Want("unavailable")
		hold, release := proxy.held()
		proxy.fail("inspect", hold)
		p.Do(chromedp.Click(chromedp.CSS("#act")))
		p.Want("loading")
		if active := p.focus(); active != "title" {
			t.Errorf("the focus is on %q", active)
		}
		release()
		p.Want("form")
	})

	t.Run("AwayAtAccept", func(t *testing.T) {
		b, proxy, p, made, token := setupFaults(t)
		p.open(token, "form")
		proxy.fail("accept", noAnswer)
		p.Choose(password)
		p.wantNotice("The server does not answer. Check your connection", password)
		if b.passwordHash(made) != "" {
			t.Error("a password was set")
		}
		proxy.fail("accept", answering(http.StatusInternalServerError, ""))
		p.Do(chromedp.KeyEvent("\r"))
		p.WaitFor(`document.getElementById("notice").textContent.includes("a problem. Try again in 60 seconds")`)
		proxy.fail("accept", answering(http.StatusServiceUnavailable, "2"))
		p.Do(chromedp.Click(chromedp.CSS("#submit")))
		p.WaitFor(`document.getElementById("notice").textContent.includes("Try again in 2 seconds.")`)
		if active := p.focus(); active != "submit" {
			t.Errorf("the focus is on %q", active)
		}
		proxy.fail("accept", nil)
		p.Do(chromedp.KeyEvent("\r"))
		p.Want("done")
		if !postgrestest.Verifies(b.passwordHash(made), password) {
			t.Error("the password does not log the admin in")
		}
		if pagetest.Evaluate[string](p.Page, `document.getElementById("password").value`) != "" {
			t.Error("the password is still on the page")
		}
	})

	t.Run("AnswerIsLost", func(t *testing.T) {
		b, proxy, p, made, token := setupFaults(t)
		p.open(token, "form")
		proxy.fail("accept", proxy.lostAnswer)
		p.Choose(password)
		p.wantNotice("The server does not answer.", password)
		proxy.fail("accept", nil)
		p.Do(chromedp.KeyEvent("\r"))
		p.Want("accepted")
		if !postgrestest.Verifies(b.passwordHash(made), password) {
			t.Error("the password does not log the admin in")
		}
	})

	t.Run("IsSlow", func(t *testing.T) {
		b, proxy, p, made, token := setupFaults(t)
		p.open(token, "form")
		if role := pagetest.Evaluate[bool](p.Page, `document.querySelector("[role=status]").checkVisibility()`); !role {
			t.Error("screen readers do not know the region before its text changes")
		}
		hold, release := proxy.held()
		proxy.fail("accept", hold)
		p.Do(chromedp.SendKeys(chromedp.CSS("#password"), password), chromedp.Click(chromedp.CSS("#submit")))
		p.wantWorking("Your password is being set", "submit")
		if active := p.focus(); active != "submit" {
			t.Errorf("the focus is on %q", active)
		}
		p.Do(chromedp.Click(chromedp.CSS("#submit"))) // Does nothing.
		release()
		p.Want("done")
		p.wantIdle()
		if n := proxy.sent("accept"); n != 1 {
			t.Errorf("%d requests", n)
		}
		if !postgrestest.Verifies(b.passwordHash(made), password) {
			t.Error("the password does not log the admin in")
		}
	})

	t.Run("IsSlowForLong", func(t *testing.T) {
		_, proxy, p, _, token := setupFaults(t)
		p.hurry()
		hold, release := proxy.held()
		t.Cleanup(release)
		proxy.fail("inspect", hold)
		p.open(token, "loading")
		p.WaitFor(`document.querySelector("[role=status]").innerText.includes("longer than usual")`)
		p.Want("away") // After the limit of an answer.
		proxy.fail("inspect", nil)
		p.Do(chromedp.Click(chromedp.CSS("#act")))
		p.Want("form")
		proxy.fail("accept", hold)
		p.Choose(password)
		p.wantWorking("longer than usual", "submit")
		p.wantNotice("The server does not answer", password)
	})

	t.Run("OtherLinkMeanwhile", func(t *testing.T) {
		b, proxy, p, made, token := setupFaults(t)
		p.open(token, "form")
		hold, release := proxy.held()
		proxy.fail("accept", hold)
		p.Choose(password)
		p.wantWorking("Your password is being set", "submit")
		pagetest.Evaluate[string](p.Page, `location.hash = "#invitation=other"`)
		p.Want("unknown")
		release()
		for b.invitation(as[string](made["id"]))["status"] != "ACCEPTED" {
			time.Sleep(10 * time.Millisecond) // Until the registry has it; nothing reports that.
		}
		time.Sleep(300 * time.Millisecond) // The answer has arrived by then.
		p.Want("unknown")
		pagetest.Evaluate[string](p.Page, `location.hash = "#invitation=`+token+`"`)
		p.Want("accepted")
		p.wantIdle()
	})
}

// TestInvitationPage_Renew: what becomes of the mail is what the page says.
func TestInvitationPage_Renew(t *testing.T) {
	t.Parallel()
	expired := func(t *testing.T) (*testServer, *invitationProxy, *invitationPage) {
		t.Helper()
		b, proxy, p, _, token := setupFaults(t)
		b.registry.ExpireInvitations()
		p.open(token, "expired")
		return b, proxy, p
	}

	t.Run("MailServerAway", func(t *testing.T) {
		b, _, p := expired(t)
		if err := b.mail.Close(); err != nil {
			t.Fatal(err)
		}
		p.Do(chromedp.Click(chromedp.CSS("#act")))
		p.Want("pending")
		if due := b.registry.DueMail(); due != 0 { // Its next try is in some minutes.
			t.Errorf("%d mails are due", due)
		}
		b.registry.MakeMailDue()
		if due := b.registry.DueMail(); due != 1 {
			t.Errorf("%d mails are due, so it is not sent again", due)
		}
		p.Do(chromedp.Reload())
		p.Want("revoked")
	})

	t.Run("MailServerRefuses", func(t *testing.T) {
		b, _, p := expired(t)
		b.mail.RejectRecipients(554, "no such user", -1)
		p.Do(chromedp.Click(chromedp.CSS("#act")))
		p.Want("failed")
		if text := p.Text(); !strings.Contains(text, "Ask your contact") {
			t.Errorf("%q", text)
		}
	})

	t.Run("IsSlow", func(t *testing.T) {
		b, proxy, p := expired(t)
		hold, release := proxy.held()
		proxy.fail("renew", hold)
		p.Do(chromedp.Click(chromedp.CSS("#act")))
		p.wantWorking("A new invitation is being sent", "act")
		p.Do(chromedp.Click(chromedp.CSS("#act"))) // Does nothing.
		release()
		p.Want("sent")
		if n := proxy.sent("renew"); n != 1 {
			t.Errorf("%d requests", n)
		}
		if tokens := b.invitationTokens(); len(tokens) != 2 {
			t.Errorf("%d mails", len(tokens))
		}
	})

	t.Run("AnswerIsLost", func(t *testing.T) {
		b, proxy, p := expired(t)
		proxy.fail("renew", proxy.lostAnswer)
		p.Do(chromedp.Click(chromedp.CSS("#act")))
		p.Want("away")
		proxy.fail("renew", nil)
		p.Do(chromedp.Click(chromedp.CSS("#act")))
		p.Want("revoked")
		if tokens := b.invitationTokens(); len(tokens) != 2 {
			t.Errorf("%d mails", len(tokens))
		}
	})

	t.Run("Busy", func(t *testing.T) {
		_, proxy, p := expired(t)
		proxy.fail("renew", answering(http.StatusTooManyRequests, "7"))
		p.Do(chromedp.Click(chromedp.CSS("#act")))
		p.Want("busy")
		if text := p.Text(); !strings.Contains(text, "in 7 seconds") {
			t.Errorf("%q", text)
		}
		proxy.fail("renew", nil)
		p.Do(chromedp.Click(chromedp.CSS("#act")))
		p.Want("expired")
	})
}

// TestInvitationPage_EndsMeanwhile: an invitation ends while its form is open.
func TestInvitationPage_EndsMeanwhile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func(b *testServer, path string)
		view string
	}{
		"Revoked": {func(b *testServer, path string) { b.do(http.MethodPost, path+"/invite", nil).want(http.StatusOK) }, "revoked"},
		"Expired": {func(b *testServer, _ string) { b.registry.ExpireInvitations() }, "expired"},
		"Purged": {func(b *testServer, path string) {
			b.do(http.MethodDelete, path, nil).want(http.StatusOK)
			b.do(http.MethodPost, path+"/purge", map[string]any{"confirm": "Clinic"}).want(http.StatusOK)
		}, "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			b := setupWith(t, serverOptions{Options: api.Options{Retention: api.NoRetention}})
			made := b.createActive(clinic())
			p := b.invitationPage(360)
			p.open(b.invitationTokens()[0], "form")
			test.end(b, "/admin/tenants/"+as[string](made["id"]))
			p.Choose(password)
			p.Want(test.view)
			if active := p.focus(); active != "title" {
				t.Errorf("the focus is on %q", active)
			}
			if pagetest.Evaluate[string](p.Page, `document.getElementById("password").value`) != "" {
				t.Error("the password is still on the page")
			}
		})
	}
}
