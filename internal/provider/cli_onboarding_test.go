//go:build unix

package provider_test

import (
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv/pagetest"
)

var mailedLink = regexp.MustCompile(`https?://\S+#invitation=[\w-]{43}`)

// invitationLink is the link in the mail to an address that was caught last.
func (w *testEnv) invitationLink(to string) string {
	w.t.Helper()
	mails := w.mail.Messages()
	for i := len(mails) - 1; i >= 0; i-- {
		if link := mailedLink.FindString(mails[i].Text); link != "" && mails[i].To[0] == to {
			return link
		}
	}
	w.t.Fatalf("no link to %s in %d mails", to, len(mails))
	return ""
}

// signIn runs examples/sign-in, as the platform, with a login of the tenant.
func (w *testEnv) signIn(email, password string) (string, error) {
	w.t.Helper()
	login := w.openLogin()
	cmd := exec.CommandContext(w.t.Context(), testenv.Program(w.t, "examples/sign-in"), email)
	cmd.Env = []string{"DATABASE_URL=" + login}
	cmd.Stdin = strings.NewReader(password + "\n")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// wantSignIn expects that a password is the one that signs the admin in, and another is not.
func (w *testEnv) wantSignIn(email, right, wrong string) {
	w.t.Helper()
	if out, err := w.signIn(strings.ToUpper(email), right); err != nil || !strings.Contains(out, "with the role admin") {
		w.t.Errorf("the password does not sign the admin in: %v, %s", err, out)
	}
	for _, try := range [][2]string{{email, wrong}, {"nobody@st-marys.example", right}, {email, ""}} {
		if out, err := w.signIn(try[0], try[1]); err == nil || !strings.Contains(out, "the e-mail address or the password is wrong") {
			w.t.Errorf("%q signs in as %s: %s", try[1], try[0], out)
		}
	}
}

// TestCLIOnboarding is the whole way of an administrator: terraform apply, the mail, the page, a
// password, the platform's sign-in.
func TestCLIOnboarding(t *testing.T) {
	t.Parallel()
	t.Run("PageOfTenantAPI", func(t *testing.T) {
		w := setup(t, databaseMode, clinic)
		server := w.servePublicly(nil)
		w.env["APP_URL"] = server
		w.mustApply()
		link := w.invitationLink("ada@st-marys.example")
		if !strings.HasPrefix(link, server+"/invitation#") {
			t.Errorf("the mail leads to %s", strings.SplitAfter(link, "#")[0])
		}
		p := pagetest.Open(t, 360)
		p.Visit(link, "form")
		p.Choose(password)
		p.Want("done")
		w.wantSignIn("ada@st-marys.example", password, another)
		w.assertNoChanges()
		w.exec(`UPDATE ` + w.registry.Tenant().SchemaName + `.users SET is_active = false`)
		if out, err := w.signIn("ada@st-marys.example", password); err == nil {
			t.Errorf("a user that is not active signs in: %s", out)
		}
	})
	t.Run("PageOfPlatform", func(t *testing.T) {
		w := setup(t, databaseMode, clinic)
		site := pagetest.Serve(t)
		own := map[string]string{"APP_URL": site.AppURL(), "INVITATION_URL": site.InvitationURL(), "CORS_ORIGINS": site.Origin}
		server := w.servePublicly(own)
		site.SetAPI(server)
		w.env["APP_URL"], w.env["INVITATION_URL"] = own["APP_URL"], own["INVITATION_URL"]
		w.mustApply()
		link := w.invitationLink("ada@st-marys.example")
		if !strings.HasPrefix(link, site.InvitationURL()+"#") {
			t.Errorf("the mail leads to %s", strings.SplitAfter(link, "#")[0])
		}
		p := pagetest.Open(t, 1280)
		p.Visit(server+"/invitation"+link[strings.IndexByte(link, '#'):], "form") // As of a mail from before: it leads to the platform's page.
		p.Choose(password)
		p.WaitFor(`location.pathname.startsWith("/app/tenant/")`)
		w.wantSignIn("ada@st-marys.example", password, another)

		// Another address: it gets a link of its own.
		w.write("main.tf", header+strings.Replace(clinic, "ada@", "grace@", 1))
		w.mustApply().wantText(t, "0 added, 1 changed, 0 destroyed")
		p.Visit(link, "accepted") // Used, and worth nothing.
		p = pagetest.Open(t, 360)
		p.Visit(w.invitationLink("grace@st-marys.example"), "form")
		p.Choose(another)
		p.WaitFor(`location.pathname.startsWith("/app/tenant/")`)
		w.wantSignIn("grace@st-marys.example", another, password)
		w.assertNoChanges()
	})
}

// servePublicly starts tenant-api beside Terraform, also in database mode, with settings besides
// the platform's; without an APP_URL its own address is that. It returns the address.
func (w *testEnv) servePublicly(own map[string]string) string {
	w.t.Helper()
	settings := map[string]string{}
	for name, value := range w.env {
		if isServerSetting(name) {
			settings[name] = value
		}
	}
	maps.Copy(settings, own)
	w.serve(settings)
	if own["APP_URL"] == "" {
		address := w.server.url
		settings = maps.Clone(settings)
		settings["APP_URL"] = address
		w.server.stop(w.t)
		w.listen(settings, address[strings.LastIndexByte(address, ':')+1:])
	}
	return w.server.url
}

// openLogin opens a login of the one tenant through tenant-api, and returns its connection string.
func (w *testEnv) openLogin() string {
	w.t.Helper()
	body := strings.NewReader(`{"ttlSeconds": 600}`)
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.server.url+"/admin/tenants/"+w.registry.Tenant().ID+"/database-credentials", body)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var login struct {
		Host, Database, Username, Password string
		Port                               int
	}
	if err := json.NewDecoder(answer.Body).Decode(&login); err != nil || answer.StatusCode != http.StatusCreated {
		w.t.Fatalf("status %d, %v", answer.StatusCode, err)
	}
	u := url.URL{Scheme: "postgres", User: url.UserPassword(login.Username, login.Password), Host: net.JoinHostPort(login.Host, strconv.Itoa(login.Port)), Path: login.Database}
	return u.String()
}

// TestCLIOnboarding_Settings: the provider's mail block has the page and the length of invitations.
func TestCLIOnboarding_Settings(t *testing.T) {
	w := setup(t, databaseMode, clinic+`
provider "healthcare" {
  mail = {
    invitation_url = "https://app.platform.example/welcome"
    invitation_ttl = "2h"
  }
}
data "healthcare_tenant" "clinic" { id = healthcare_tenant.clinic.id }
output "end" { value = data.healthcare_tenant.clinic.invitation.expires_at }
`)
	w.mustApply()
	if link := w.invitationLink("ada@st-marys.example"); !strings.HasPrefix(link, "https://app.platform.example/welcome#invitation=") {
		t.Errorf("the mail leads to %s", strings.SplitAfter(link, "#")[0])
	}
	text, _ := w.outputs()["end"].(string)
	end, err := time.Parse(time.RFC3339, text)
	if left := time.Until(end); err != nil || left < time.Hour || left > 2*time.Hour {
		t.Errorf("the invitation lasts %v, %v", left, err)
	}
}
