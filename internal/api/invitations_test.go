package api_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
)

var tokenPattern = regexp.MustCompile(`#invitation=([\w-]{43})`)

// invitationTokens are those of all mails that were caught, in their order.
func (b *testServer) invitationTokens() (tokens []string) {
	b.t.Helper()
	for _, m := range b.mail.Messages() {
		found := tokenPattern.FindStringSubmatch(m.Text)
		if found == nil {
			b.t.Fatalf("no link in %s", m.Text)
		}
		tokens = append(tokens, found[1])
	}
	return tokens
}

// invited asks without a key.
func (b *testServer) invited(operation string, body any) response {
	b.t.Helper()
	return b.do(http.MethodPost, "/invitations/"+operation, body, "Authorization", "")
}

func (b *testServer) inspect(token string) response {
	b.t.Helper()
	return b.invited("inspect", map[string]any{"token": token})
}

func (b *testServer) accept(token, password string) response {
	b.t.Helper()
	return b.invited("accept", map[string]any{"token": token, "password": password})
}

// wantStatus fails the test unless an invitation has a status, and shows no name that it must not.
func (b *testServer) wantStatus(token, status string) {
	b.t.Helper()
	got := b.inspect(token).want(http.StatusOK)
	if got.str("status") != status {
		b.t.Errorf("%s, want %s", got.text, status)
	}
	if shown := strings.Contains(got.text, "ada@"); shown != (status == "PENDING") {
		b.t.Errorf("%s", got.text)
	}
	if shown := strings.Contains(got.text, "Clinic"); shown != (status == "PENDING" || status == "EXPIRED") {
		b.t.Errorf("%s", got.text)
	}
}

func TestServer_Invitations(t *testing.T) {
	t.Parallel()

	t.Run("WorksOnce", func(t *testing.T) {
		b := setupWith(t, serverOptions{Options: api.Options{AppURL: "https://app.platform.example"}})
		made := b.createActive(clinic())
		id := as[string](made["id"])
		path := "/admin/tenants/" + id
		b.do(http.MethodPost, path+"/invite", nil).want(http.StatusOK)
		tokens := b.invitationTokens()
		b.wantStatus(tokens[0], "REVOKED")
		for range 3 { // Showing does not use it up.
			b.wantStatus(tokens[1], "PENDING")
		}
		got := b.accept(tokens[1], password).want(http.StatusOK)
		if got.str("tenantId") != id || got.str("redirectUrl") != "https://app.platform.example/tenant/"+id {
			t.Errorf("%s", got.text)
		}
		b.wantStatus(tokens[1], "ACCEPTED")
		if again := b.accept(tokens[1], another).want(http.StatusConflict); !strings.Contains(again.text, "was used, and works once") {
			t.Errorf("%s", again.text)
		}
		if old := b.accept(tokens[0], another).want(http.StatusConflict); !strings.Contains(old.text, "not valid any more") {
			t.Errorf("%s", old.text)
		}
		if !postgrestest.Verifies(b.passwordHash(made), password) {
			t.Error("the password does not log the admin in")
		}
		audit := b.do(http.MethodGet, path+"/audit", nil).want(http.StatusOK)
		if !strings.Contains(audit.text, `"invitation.accept"`) || !strings.Contains(audit.text, `"kind":"invited"`) || strings.Contains(audit.text, tokens[1]) {
			t.Errorf("%s", audit.text)
		}
		b.do(http.MethodPost, path+"/invite", nil).want(http.StatusOK) // Another one can be accepted again.
		b.accept(b.invitationTokens()[2], another).want(http.StatusOK)
		if !postgrestest.Verifies(b.passwordHash(made), another) {
			t.Error("the second password does not log the admin in")
		}
		b.assertNoPasswords(audit.text)
		for _, token := range b.invitationTokens() {
			if strings.Contains(b.log.String()+b.registry.Text(), token) {
				t.Error("a token is in the log or the registry")
			}
		}
	})

	t.Run("AcceptedTwiceAtOnce", func(t *testing.T) {
		b := setup(t)
		made := b.createActive(clinic())
		token := b.invitationTokens()[0]
		passwords := []string{password, another}
		answers := make([]response, len(passwords))
		var all sync.WaitGroup
		for i, p := range passwords {
			all.Go(func() { answers[i] = b.accept(token, p) })
		}
		all.Wait()
		for i, p := range passwords {
			if ok := answers[i].status == http.StatusOK; !ok && answers[i].status != http.StatusConflict || ok != postgrestest.Verifies(b.passwordHash(made), p) {
				t.Errorf("%d %s", answers[i].status, answers[i].text)
			}
		}
		if answers[0].status == answers[1].status {
			t.Errorf("both: %d", answers[0].status)
		}
	})

	t.Run("ExpiredIsRenewed", func(t *testing.T) {
		b := setup(t)
		b.createActive(clinic())
		first := b.invitationTokens()[0]
		renew := func(token string) response { return b.invited("renew", map[string]any{"token": token}) }
		if early := renew(first).want(http.StatusConflict); !strings.Contains(early.text, "has not expired; use its link") {
			t.Errorf("%s", early.text)
		}
		b.registry.ExpireInvitations()
		b.wantStatus(first, "EXPIRED")
		if late := b.accept(first, password).want(http.StatusConflict); !strings.Contains(late.text, "has expired; have a new one sent") {
			t.Errorf("%s", late.text)
		}
		answers := make([]response, 3) // As by a double click.
		var all sync.WaitGroup
		for i := range answers {
			all.Go(func() { answers[i] = renew(first) })
		}
		all.Wait()
		sent := 0
		for _, a := range answers {
			if a.status == http.StatusOK && a.str("status") == "sent" {
				sent++
			} else if a.status != http.StatusConflict {
				t.Errorf("%d %s", a.status, a.text)
			}
		}
		tokens := b.invitationTokens()
		if sent != 1 || len(tokens) != 2 {
			t.Fatalf("%d answers, %d mails", sent, len(tokens))
		}
		if to := b.mail.Messages()[1].To; len(to) != 1 || to[0] != "ada@clinic.example" {
			t.Errorf("to %v", to)
		}
		b.wantStatus(first, "REVOKED")
		b.accept(tokens[1], password).want(http.StatusOK)
	})

	t.Run("RenewedWithoutMailServer", func(t *testing.T) {
		b := setup(t)
		b.createActive(clinic())
		token := b.invitationTokens()[0]
		b.registry.ExpireInvitations()
		b.mail.RejectRecipients(451, "try later", -1)
		if got := b.invited("renew", map[string]any{"token": token}).want(http.StatusOK); got.str("status") != "pending" {
			t.Errorf("%s", got.text)
		}
		b.registry.MakeMailDue()
		if due := b.registry.DueMail(); due != 1 {
			t.Errorf("%d mails are due, so it is not sent again", due)
		}
	})

	t.Run("RenewedWithMailRefused", func(t *testing.T) {
		b := setup(t)
		b.createActive(clinic())
		token := b.invitationTokens()[0]
		b.registry.ExpireInvitations()
		b.mail.RejectRecipients(554, "no such user", -1)
		if got := b.invited("renew", map[string]any{"token": token}).want(http.StatusOK); got.str("status") != "failed" {
			t.Errorf("%s", got.text)
		}
	})

	t.Run("OfAnotherAddress", func(t *testing.T) {
		b := setup(t)
		path := "/admin/tenants/" + as[string](b.createActive(clinic())["id"])
		changed := b.do(http.MethodPatch, path, map[string]any{"adminEmail": "grace@clinic.example"}).want(http.StatusOK)
		if changed.str("welcomeEmailStatus") != "PENDING" {
			t.Errorf("%s", changed.text)
		}
		got := b.inspect(b.invitationTokens()[0]).want(http.StatusOK)
		if got.str("status") != "REVOKED" || strings.Contains(got.text, "grace") || strings.Contains(got.text, "Clinic") {
			t.Errorf("%s", got.text)
		}
	})

	t.Run("OfTenantOutOfService", func(t *testing.T) {
		b := setupWith(t, serverOptions{Options: api.Options{Retention: api.NoRetention}})
		path := "/admin/tenants/" + as[string](b.createActive(clinic())["id"])
		token := b.invitationTokens()[0]
		b.wantStatus(token, "PENDING")
		b.do(http.MethodDelete, path, nil).want(http.StatusOK)
		b.wantStatus(token, "REVOKED")
		b.accept(token, password).want(http.StatusConflict)
		b.invited("renew", map[string]any{"token": token}).want(http.StatusConflict)
		b.do(http.MethodPost, path+"/unarchive", nil).want(http.StatusOK)
		b.wantStatus(token, "REVOKED") // Archiving ended it for good.
		b.do(http.MethodDelete, path, nil).want(http.StatusOK)
		b.do(http.MethodPost, path+"/purge", map[string]any{"confirm": "Clinic"}).want(http.StatusOK)
		b.inspect(token).want(http.StatusNotFound)
		b.accept(token, password).want(http.StatusNotFound)
	})
}

// TestServer_Invitations_BadInput: no text makes a 500, costs the database a look-up without being a
// token, or shows whom another invitation is for.
func TestServer_Invitations_BadInput(t *testing.T) {
	b := setup(t)
	b.clock.stop() // The limits do not refill by themselves.
	b.createActive(clinic())
	token := b.invitationTokens()[0]
	limited := func(a response) response {
		b.clock.advance(10 * time.Second)
		return a
	}
	other := "A" + token[1:]
	if token[0] == 'A' {
		other = "B" + token[1:]
	}
	for _, text := range []string{
		"x", token[1:], token + "A", token[:42] + "=", token[:42] + "\n", token[:42] + "é", strings.ToUpper(token), " " + token, strings.Repeat("A", 43), strings.Repeat("x", 128), other, uuid.NewString(), "\u0000",
		"' OR '1'='1", token[:42] + "+",
	} {
		for _, operation := range []string{"inspect", "accept", "renew"} {
			body := map[string]any{"token": text}
			if operation == "accept" {
				body["password"] = password
			}
			got := limited(b.invited(operation, body))
			if got.status != http.StatusNotFound && got.status != http.StatusBadRequest || strings.Contains(got.text, "ada@") || strings.Contains(got.text, "Clinic") {
				t.Errorf("%s %q: %d %s", operation, text, got.status, got.text)
			}
		}
	}
	limited(b.invited("inspect", map[string]any{})).want(http.StatusBadRequest)
	limited(b.invited("inspect", map[string]any{"token": 7})).want(http.StatusBadRequest)
	limited(b.invited("inspect", `{"token": "`+strings.Repeat("x", 1<<20)+`"}`)).want(http.StatusRequestEntityTooLarge)
	limited(b.do(http.MethodGet, "/invitations/accept?token="+token, nil, "Authorization", "")).want(http.StatusMethodNotAllowed)
	for _, weak := range []string{"", "horse", "horse\nbattery staple", strings.Repeat("horse", 60), "my ADA@clinic.example horse"} {
		got := limited(b.accept(token, weak)).want(http.StatusBadRequest)
		if !strings.Contains(got.text, `"field":"password"`) || strings.Contains(got.text, "horse") {
			t.Errorf("%q: %s", weak, got.text)
		}
	}
	b.clock.advance(time.Minute)
	b.wantStatus(token, "PENDING")
}

// TestServer_Invitations_Limits: an address has so many requests, whatever its tokens are, and so
// has a token. Guesses reach no audit log.
func TestServer_Invitations_Limits(t *testing.T) {
	b := setup(t)
	b.clock.stop()
	b.createActive(clinic())
	token := b.invitationTokens()[0]
	refused := 0
	for range 12 {
		if got := b.inspect(token); got.status == http.StatusTooManyRequests {
			refused++
			if got.header.Get("Retry-After") == "" || !strings.Contains(got.text, "for this invitation") {
				t.Errorf("%s", got.text)
			}
		}
	}
	if refused != 2 {
		t.Errorf("%d of 12 requests for one token were refused", refused)
	}
	refused = 0
	for i := range 1000 {
		switch got := b.inspect(fmt.Sprintf("%043d", i)); got.status {
		case http.StatusTooManyRequests:
			refused++
		case http.StatusNotFound:
		default:
			t.Errorf("%d %s", got.status, got.text)
		}
	}
	if refused != 1000-48 {
		t.Errorf("%d of 1,000 guesses were refused", refused)
	}
	if rejections := b.auditRejections(uuid.Nil); len(rejections) > 2 {
		t.Errorf("%d guesses are in the audit log", len(rejections))
	}
}

// TestServer_Invitations_DatabaseAway: while the database does not answer, a page is told to try
// again, and nothing is used up.
func TestServer_Invitations_DatabaseAway(t *testing.T) {
	b := setupWith(t, serverOptions{timeouts: api.Timeouts{Work: 5 * time.Second}})
	made := b.createActive(clinic())
	token := b.invitationTokens()[0]
	release := b.registry.LockInvitations()
	b.accept(token, password).want(http.StatusServiceUnavailable)
	release()
	b.wantStatus(token, "PENDING")
	b.accept(token, password).want(http.StatusOK)
	if !postgrestest.Verifies(b.passwordHash(made), password) {
		t.Error("the password does not log the admin in")
	}
}
