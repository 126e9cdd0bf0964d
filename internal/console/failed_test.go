//go:build unix

package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue/queuetest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv/pagetest"
)

// mouse clicks as a person does, and counts.
type mouse struct {
	*browser
	clicks int
}

// click clicks what has a text and can be seen, in a dialog if there is one.
func (m *mouse) click(text string) {
	m.t.Helper()
	const find = `[...document.querySelectorAll(document.querySelector("dialog[open]") ? "dialog[open] button" : "main a, main button")].find(e => e.textContent.trim() === %q && e.getClientRects().length)`
	m.WaitFor(fmt.Sprintf(find+` !== undefined`, text))
	at := pagetest.Evaluate[[]float64](m.Page, fmt.Sprintf(`(() => {
		const e = `+find+`
		e.scrollIntoView({block: "center"})
		const box = e.getBoundingClientRect()
		return [box.x + box.width / 2, box.y + box.height / 2]
	})()`, text))
	if len(at) != 2 {
		m.t.Fatalf("%q is at %v", text, at)
	}
	m.Do(chromedp.MouseClickXY(at[0], at[1]))
	m.clicks++
}

// mend finds a failed tenant on the first page, reads why it failed, lets the cause be mended, and retries.
func mend(t *testing.T, s *site, name, step, cause string, mended func()) {
	t.Helper()
	m := &mouse{browser: s.signedIn(1280, s.key)}
	m.see("Provisioning failed")
	m.see(cause)
	m.click(name)
	m.see("Why it failed")
	if found := pagetest.Evaluate[string](m.Page, `document.getElementById("cause").parentElement.innerText`); !strings.Contains(found, step+": ") || !strings.Contains(found, cause) {
		t.Errorf("the page says: %s", found)
	}
	mended()
	m.click("Retry")
	m.WaitFor(`document.querySelector("dialog[open] button") !== null`)
	m.click("Retry")
	m.WaitFor(`document.querySelector("h1 + .badge")?.textContent === "Active" && document.querySelectorAll(".steps > .completed").length === 7`)
	if m.clicks > 3 {
		t.Errorf("it took %d clicks", m.clicks)
	}
	if pagetest.Evaluate[bool](m.Page, `document.getElementById("cause") !== null`) {
		t.Error("the page still says why the attempt before failed")
	}
	m.visit("/console")
	m.see("Nothing. All tenants and the platform are well")
}

func TestConsole_FailedMail(t *testing.T) {
	s := setup(t, config.MailFailurePolicy+"=fail")
	s.mail.RejectRecipients(550, "5.1.1 no such mailbox here", -1)
	s.inStatus(s.submit("Mailless Clinic"), "FAILED")
	mend(t, s, "Mailless Clinic", "Send the welcome mail", "no such mailbox here", func() { s.mail.RejectRecipients(0, "", 0) })
}

func TestConsole_FailedContract(t *testing.T) {
	poor, err := keypair.Random()
	if err != nil {
		t.Fatal(err)
	}
	s := setup(t, config.SorobanDeployerSecret+"="+poor.Seed())
	s.inStatus(s.submit("Poor Clinic"), "FAILED")
	mend(t, s, "Poor Clinic", "Deploy the contract", poor.Address(), func() {
		if err := s.net.Fund(poor.Address(), 100_000*10_000_000); err != nil {
			t.Fatal(err)
		}
	})
}

// TestConsole_Today: each kind of what needs a person is shown with a link to where it is listed.
func TestConsole_Today(t *testing.T) {
	s := setup(t, config.SorobanChannels+"=1")
	ids := map[string]string{}
	for _, kind := range []string{"Invitation", "Mail", "Contract"} {
		ids[kind] = s.active(kind + " Clinic")
	}
	s.kill() // A worker would mend what follows.
	s.flags = []string{"--worker=false"}
	s.start()
	ids["Stuck"] = s.submit("Stuck Clinic")
	registry := s.registry()
	registry.SetUpdated(-time.Hour)
	registry.ExpireInvitations()
	registry.FailMail()
	registry.SetContractState(ids["Contract"], "MISSING")
	registry.SetDeployerBalance(7)
	registry.DisableChannel(0, "the ledger does not know it")
	queuetest.Open(t, s.database).ForgetWorkers()

	p := s.person(s.key)
	today := p.get("/console").want(http.StatusOK)
	for heading, expected := range map[string]struct{ link, listed string }{
		"Provisioning does not move on": {"/console/tenants?status=PENDING", "Stuck Clinic"},
		"Invitations have expired":      {"/console/tenants?invitation=EXPIRED", "Invitation Clinic"},
		"Contracts have an error":       {"/console/contracts", "Contract Clinic"},
		"Channel accounts are disabled": {"/console/contracts", "the ledger does not know it"},
		"Stellar accounts need funds":   {"/console/contracts", "0.0000007"},
		"No worker runs":                {"/console/platform", "Readiness"},
		"Welcome mails were refused":    {"/console/tenants/" + ids["Mail"], "Mail Clinic"},
	} {
		_, group, found := strings.Cut(today.text, heading)
		if !found {
			t.Errorf("the first page has no %q", heading)
			continue
		}
		group, _, _ = strings.Cut(group, "</li></ul>")
		if before, _, _ := strings.Cut(today.text, heading); !strings.HasSuffix(before, `<a href="`+expected.link+`">`) && !strings.Contains(group, `href="`+expected.link+`"`) {
			t.Errorf("%q does not lead to %s: %s", heading, expected.link, group)
		}
		p.get(expected.link).want(http.StatusOK).shows(expected.listed)
	}
	for kind, id := range ids {
		today.shows(`<a href="/console/tenants/` + id + `"><bdi>` + kind + ` Clinic</bdi></a>`)
	}
	today.shows("tenant-api worker").lacks(`href=""`)
}
