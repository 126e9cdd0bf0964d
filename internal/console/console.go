package console

import (
	"cmp"
	"log/slog"
	"net/http"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/console/signin"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// Root is the address of the first page.
const Root = signin.Path

// Sessions signs people in and out. signin.Manager is one.
type Sessions interface {
	// Current returns the person of a request and the token of the session. signin.ErrNotSignedIn and
	// signin.ErrSessionEnded mean that there is none.
	Current(r *http.Request) (auth.Identity, config.Secret, error)
	WithKey(w http.ResponseWriter, r *http.Request, key config.Secret) error
	OIDC() bool
	Begin(w http.ResponseWriter, r *http.Request, returnTo string) error
	Finish(w http.ResponseWriter, r *http.Request) (returnTo string, err error)
	SignOut(w http.ResponseWriter, r *http.Request) error
	SignOutEverywhere(w http.ResponseWriter, r *http.Request) error
}

// Options are the settings of a Console.
type Options struct {
	API http.Handler // Required: the API as it is called in the process.
	// Admit takes one of the server's places for a request until leave is called, or says why there is none. Default: no limit.
	Admit    func(r *http.Request) (leave func(), refused error)
	Sessions Sessions     // Required.
	URL      string       // Where browsers reach the server, without a path: forms may come from there. Default: the host of the request.
	Version  string       // Of the program, for the foot of the pages. Default "dev".
	Logger   *slog.Logger // Default slog.Default().
	// Stopping is closed when the server stops; open timelines end then. Default: they end with their requests.
	Stopping <-chan struct{}
}

// Console is the handler of all pages.
type Console struct {
	opts   Options
	mux    *http.ServeMux
	guard  *http.CrossOriginProtection
	assets *assets
	views  *views

	platformChecks platformChecks
}

// New makes a Console. KindInvalid when a required option is missing.
func New(o Options) (*Console, error) {
	switch {
	case o.API == nil:
		return nil, errs.Errorf(errs.KindInvalid, "set up console", "API is missing")
	case o.Sessions == nil:
		return nil, errs.Errorf(errs.KindInvalid, "set up console", "Sessions is missing")
	}
	o.Version, o.Logger = cmp.Or(o.Version, "dev"), cmp.Or(o.Logger, slog.Default())
	if o.Admit == nil {
		o.Admit = func(*http.Request) (func(), error) { return func() {}, nil }
	}
	c := &Console{opts: o, mux: http.NewServeMux(), guard: http.NewCrossOriginProtection(), assets: newAssets()}
	if o.URL != "" {
		if err := c.guard.AddTrustedOrigin(o.URL); err != nil {
			return nil, errs.Wrap(err, errs.KindInvalid, "set up console", "URL is not an origin; give it as https://tenants.example")
		}
	}
	c.views = newViews(c.assets)
	c.routes()
	return c, nil
}

// routes registers all pages and forms.
func (c *Console) routes() {
	c.mux.HandleFunc("GET /console/assets/{name}", c.assets.serve)
	c.mux.HandleFunc("GET /console/sign-in", c.signInPage)
	c.mux.HandleFunc("POST /console/sign-in", c.signInWithKey)
	c.mux.HandleFunc("GET /console/sign-in/oidc", c.beginOIDC)
	c.mux.HandleFunc("GET "+signin.CallbackPath, c.finishOIDC)
	c.mux.HandleFunc("POST /console/sign-out", c.signOut)
	c.mux.HandleFunc("POST /console/language", c.chooseLanguage)

	c.page("GET /console", (*page).today)
	c.page("GET /console/{$}", (*page).today)
	c.page("GET /console/today/platform", (*page).todayPlatform)
	c.page("GET /console/tenants", (*page).tenants)
	c.page("POST /console/tenants/actions", (*page).selection)
	c.page("POST /console/tenants/actions/run", (*page).runSelection)
	c.page("GET /console/tenants/new", (*page).newTenant)
	c.page("POST /console/tenants/new", (*page).createTenant)
	c.page("POST /console/tenants/new/check", (*page).checkTenant)
	c.page("GET /console/tenants/{id}", (*page).tenant)
	c.page("GET /console/tenants/{id}/timeline", (*page).timeline)
	c.page("GET /console/tenants/{id}/health", (*page).tenantHealth)
	c.page("GET /console/tenants/{id}/verification", (*page).tenantVerification)
	c.page("GET /console/tenants/{id}/edit", (*page).editTenant)
	c.page("POST /console/tenants/{id}/edit", (*page).updateTenant)
	c.page("GET /console/tenants/{id}/moves/{move}", (*page).confirmMove)
	c.page("POST /console/tenants/{id}/moves/{move}", (*page).runMove)
	c.page("POST /console/tenants/{id}/logins/{login}/close", (*page).closeLogin)
	c.page("GET /console/blueprints", (*page).blueprints)
	c.page("GET /console/blueprints/{name}", (*page).blueprint)
	c.page("POST /console/blueprints/{name}/activate", (*page).activateBlueprint)
	c.page("POST /console/blueprints/{name}/retire", (*page).retireBlueprint)
	c.page("GET /console/contracts", (*page).contracts)
	c.page("GET /console/keys", (*page).keys)
	c.page("POST /console/keys", (*page).createKey)
	c.page("GET /console/keys/{id}/revoke", (*page).confirmRevoke)
	c.page("POST /console/keys/{id}/revoke", (*page).revokeKey)
	c.page("GET /console/platform", (*page).platform)
	c.page("GET /console/platform/check", (*page).platformCheck)
	c.page("GET /console/platform/verification", (*page).registryVerification)
	for _, other := range []string{"/console", "/console/"} {
		c.mux.HandleFunc(other, func(w http.ResponseWriter, r *http.Request) {
			who, token, err := c.opts.Sessions.Current(r)
			if err != nil {
				who, token = auth.Identity{}, ""
			}
			c.newPage(w, r, who, token).fail(http.StatusNotFound, "This page does not exist.")
		})
	}
}

// page registers a page for people who are signed in.
func (c *Console) page(pattern string, serve func(*page) error) {
	c.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		who, token, err := c.opts.Sessions.Current(r)
		if err != nil {
			c.newPage(w, r, auth.Identity{}, "").askToSignIn(err)
			return
		}
		p := c.newPage(w, r, who, token)
		if err := serve(p); err != nil {
			p.showError(err)
		}
	})
}

// ServeHTTP implements http.Handler. The form is read before anything of the server is held for the request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setSecurityHeaders(w.Header())
	p := c.newPage(w, r, auth.Identity{}, "")
	if err := c.guard.Check(r); err != nil {
		p.fail(http.StatusForbidden, "This form was sent from another site. Open the console and try again.")
		return
	}
	if r.Method == http.MethodPost && !c.readForm(w, r) {
		p.fail(http.StatusBadRequest, "The form could not be read, or is too large.")
		return
	}
	if isPublic(r) {
		c.mux.ServeHTTP(w, r)
		return
	}
	leave, err := c.opts.Admit(r)
	if err != nil {
		p.showError(err)
		return
	}
	defer leave()
	c.mux.ServeHTTP(w, r)
}

// isPublic reports whether a request is for what everybody may read and costs no query: it needs no place.
func isPublic(r *http.Request) bool {
	return r.Method == http.MethodGet && (strings.HasPrefix(r.URL.Path, Root+"/assets/") || r.URL.Path == Root+"/sign-in")
}

const (
	// maxForm is the largest form, in bytes: the ids of 500 tenants, or a tenant with 64 entries of metadata.
	maxForm = 256 << 10
	// maxPublicForm is that of a person who is not signed in: an API key, and where to return to.
	maxPublicForm = 4 << 10
)

// readForm reads a form. Only a person who is signed in can send a large one.
func (c *Console) readForm(w http.ResponseWriter, r *http.Request) bool {
	limit := int64(maxPublicForm)
	if r.ContentLength < 0 || r.ContentLength > limit {
		if _, _, err := c.opts.Sessions.Current(r); err == nil {
			limit = maxForm
		}
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	if err := r.ParseForm(); err != nil {
		return false
	}
	if body, ok := w.(interface{ BodyRead() }); ok {
		body.BodyRead()
	}
	return true
}

// setSecurityHeaders sets what holds for every answer. Frames of other pages, inline scripts and styles, and
// anything of another server are forbidden.
func setSecurityHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}
