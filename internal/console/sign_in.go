package console

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/console/signin"
)

// signInView is the data of the page on which one signs in.
type signInView struct {
	OIDC   bool
	Return string
	Error  string
}

// askToSignIn leads to the page to sign in, and back afterwards. A registry that does not answer is told as such.
func (p *page) askToSignIn(err error) {
	rejected := signin.Problem(err)
	if rejected.Status != http.StatusUnauthorized {
		p.showError(rejected)
		return
	}
	if p.r.Method == http.MethodGet && errors.Is(err, signin.ErrNotSignedIn) && p.r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		// A link of another site: the browser has kept the cookie back, and sends it with what this page asks for.
		if err := p.render("signed_in", http.StatusOK, p.view("", "Continue", signin.SafeReturn(p.r.URL.RequestURI()))); err != nil {
			p.showError(err)
		}
		return
	}
	query := url.Values{}
	if p.r.Method == http.MethodGet && !p.isFragment() && p.r.Header.Get("X-Dialog") == "" {
		query.Set("return", p.r.URL.RequestURI())
	}
	if !errors.Is(err, signin.ErrNotSignedIn) {
		signin.Forget(p.w)
		query.Set("ended", "1")
	}
	target := Root + "/sign-in"
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	if p.isFragment() { // The whole page changes, not the part that was asked for.
		p.w.Header().Set("HX-Redirect", target)
		p.w.WriteHeader(http.StatusUnauthorized)
		return
	}
	http.Redirect(p.w, p.r, target, http.StatusSeeOther)
}

func (c *Console) signInPage(w http.ResponseWriter, r *http.Request) {
	p := c.newPage(w, r, auth.Identity{}, "")
	v := signInView{OIDC: c.opts.Sessions.OIDC(), Return: signin.SafeReturn(r.URL.Query().Get("return"))}
	if r.URL.Query().Has("ended") {
		v.Error = translate(p.language, "Your session has ended. Sign in again.")
	}
	p.showSignIn(http.StatusOK, v)
}

func (p *page) showSignIn(status int, v signInView) {
	if err := p.render("sign_in", status, p.view("", "Sign in", v)); err != nil {
		p.showError(err)
	}
}

// signInWithKey signs in with an API key.
func (c *Console) signInWithKey(w http.ResponseWriter, r *http.Request) {
	p := c.newPage(w, r, auth.Identity{}, "")
	target := signin.SafeReturn(p.form("return"))
	err := c.opts.Sessions.WithKey(w, r, config.Secret(p.form("key")))
	if err == nil {
		http.Redirect(w, r, target, http.StatusSeeOther) //nolint:gosec // G710: SafeReturn is a page of the console
		return
	}
	p.signInFailed(err, target)
}

// signInFailed shows the page to sign in again, with the reason.
func (p *page) signInFailed(err error, target string) {
	v := signInView{OIDC: p.console.opts.Sessions.OIDC(), Return: target}
	rejected := signin.Problem(err)
	v.Error = rejected.Detail
	p.showSignIn(rejected.Status, v)
}

// beginOIDC leads to the issuer.
func (c *Console) beginOIDC(w http.ResponseWriter, r *http.Request) {
	target := signin.SafeReturn(r.URL.Query().Get("return"))
	if err := c.opts.Sessions.Begin(w, r, target); err != nil {
		c.newPage(w, r, auth.Identity{}, "").signInFailed(err, target)
	}
}

// finishOIDC ends the sign-in at the issuer. Its answer is a page that navigates: a browser does not send the
// cookie of the session along with a redirect that began at another site.
func (c *Console) finishOIDC(w http.ResponseWriter, r *http.Request) {
	p := c.newPage(w, r, auth.Identity{}, "")
	target, err := c.opts.Sessions.Finish(w, r)
	if err != nil {
		p.signInFailed(err, Root)
		return
	}
	if err := p.render("signed_in", http.StatusOK, p.view("", "Signed in", signin.SafeReturn(target))); err != nil {
		p.showError(err)
	}
}

// signOut ends the session, or all sessions of the person.
func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	end := c.opts.Sessions.SignOut
	if r.PostForm.Get("everywhere") != "" {
		end = c.opts.Sessions.SignOutEverywhere
	}
	if err := end(w, r); err != nil {
		c.newPage(w, r, auth.Identity{}, "").showError(problem.From(err))
		return
	}
	http.Redirect(w, r, Root+"/sign-in", http.StatusSeeOther)
}
