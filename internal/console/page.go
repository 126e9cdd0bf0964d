package console

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

// page is one request of a person, and its answer.
type page struct {
	console  *Console
	w        http.ResponseWriter
	r        *http.Request
	who      auth.Identity // Zero: nobody is signed in.
	api      *apiClient
	language string
}

func (c *Console) newPage(w http.ResponseWriter, r *http.Request, who auth.Identity, token config.Secret) *page {
	return &page{c, w, r, who, &apiClient{c.opts.API, token.Reveal(), r}, languageOf(r)}
}

func (p *page) ctx() context.Context { return p.r.Context() }

// may reports whether the person has a scope. It decides what is offered; the API decides what is done.
func (p *page) may(scope access.Scope) bool { return access.Permits(p.who.Scopes, scope) }

// needs is an error for a person without a scope: a form of what one may not do is not shown.
func (p *page) needs(scope access.Scope) error {
	if p.may(scope) {
		return nil
	}
	return problem.New(http.StatusForbidden, "this needs the scope "+string(scope)+", which your key or account does not have")
}

// view is what a template gets.
type view struct {
	Title    string // Translated.
	Section  string // The entry of the navigation that the page belongs to.
	Language string
	Path     string // Of the page, to return to.
	SignedIn bool
	Who      string
	Version  string
	Refresh  int    // Seconds after which a browser without scripts loads the page again. 0: never.
	Done     string // What a form has just done. Empty: nothing.
	Dialog   bool   // The page is shown in a dialog, without its frame.
	Data     any

	may func(access.Scope) bool
}

// May is may for templates.
func (v view) May(scope string) bool { return v.may(access.Scope(scope)) }

// view makes the view of a page. title is translated.
func (p *page) view(section, title string, data any) view {
	name := p.who.Caller.Name
	if name == "" {
		name = p.who.Caller.ID
	}
	return view{
		Title: translate(p.language, title), Section: section, Language: p.language, Path: p.r.URL.RequestURI(), SignedIn: p.who.Caller.Kind != "",
		Who: name, Version: p.console.opts.Version, Done: p.done(), Dialog: p.r.Header.Get("X-Dialog") != "", Data: data, may: p.may,
	}
}

// done is the text about a form that has led to this page.
func (p *page) done() string {
	if text := doneTexts[p.r.URL.Query().Get("done")]; text != "" {
		return translate(p.language, text)
	}
	return ""
}

// isFragment reports whether htmx asks for a part of a page.
func (p *page) isFragment() bool { return p.r.Header.Get("HX-Request") != "" }

// render writes a page.
func (p *page) render(name string, status int, v view) error {
	return p.write(status, func(b *bytes.Buffer) error { return p.console.views.page(b, p.language, name, v) })
}

// renderFragment writes a part of a page.
func (p *page) renderFragment(file, block string, v view) error {
	return p.write(http.StatusOK, func(b *bytes.Buffer) error { return p.console.views.fragment(b, p.language, file, block, v) })
}

// renderPart writes a block for htmx, which asks for it alone, and else the page that has it.
func (p *page) renderPart(file, block string, v view) error {
	if p.isFragment() {
		return p.renderFragment(file, block, v)
	}
	return p.render(file, http.StatusOK, v)
}

func (p *page) write(status int, execute func(*bytes.Buffer) error) error {
	var b bytes.Buffer
	if err := execute(&b); err != nil {
		return err
	}
	h := p.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", p.language)
	h.Set("Vary", "Accept-Encoding, Accept-Language, Cookie, HX-Request, X-Dialog")
	if acceptsGzip(p.r) {
		h.Set("Content-Encoding", "gzip")
		p.w.WriteHeader(status)
		z := gzip.NewWriter(p.w)
		_, _ = z.Write(b.Bytes()) // The client may be gone.
		_ = z.Close()
		return nil
	}
	p.w.WriteHeader(status)
	_, _ = p.w.Write(b.Bytes())
	return nil
}

// redirect leads to another page of the console after a form.
func (p *page) redirect(path string, query url.Values) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	http.Redirect(p.w, p.r, path, http.StatusSeeOther)
	return nil
}

// errorView is the data of the page that tells an error.
type errorView struct {
	Status    int
	Heading   string
	Detail    string // Of the API, in English; or translated.
	Fields    []problem.FieldError
	RequestID string
	Temporary bool // The page loads itself again.
}

// showError tells an error of the API, or that of the program.
func (p *page) showError(err error) {
	var rejected *problem.Problem
	if !errors.As(err, &rejected) {
		if p.ctx().Err() != nil {
			return // The person has gone.
		}
		p.console.opts.Logger.Error("page failed", slog.String("path", p.r.URL.Path), slog.Any("error", err))
		rejected = problem.New(http.StatusInternalServerError, translate(p.language, "The log of the server has the cause."))
	}
	if rejected.Status == http.StatusUnauthorized {
		p.askToSignIn(err)
		return
	}
	detail := sentence(rejected.Detail)
	if rejected.Status == http.StatusNotFound { // The API's text is for programs.
		detail = translate(p.language, "It was deleted, never existed, or is not for you to see.")
	}
	v := errorView{
		Status: rejected.Status, Heading: translate(p.language, errorHeading(rejected.Status)), Detail: detail, Fields: rejected.Errors,
		RequestID: rejected.RequestID, Temporary: rejected.Status == http.StatusServiceUnavailable && p.r.Method == http.MethodGet,
	}
	p.showErrorView(v)
}

func (p *page) showErrorView(v errorView) {
	data := p.view("", "", v)
	data.Title = v.Heading
	if v.Temporary {
		data.Refresh = 5
		p.w.Header().Set("Retry-After", problem.RetryAfterSeconds)
	}
	if p.isFragment() {
		if err := p.write(v.Status, func(b *bytes.Buffer) error { return p.console.views.fragment(b, p.language, "error", "problem", data) }); err != nil {
			p.console.opts.Logger.Error("page failed", slog.Any("error", err))
		}
		return
	}
	if err := p.render("error", v.Status, data); err != nil {
		p.console.opts.Logger.Error("page failed", slog.Any("error", err))
	}
}

// fail tells a fault of the request itself. text is translated.
func (p *page) fail(status int, text string) {
	p.showErrorView(errorView{Status: status, Heading: translate(p.language, errorHeading(status)), Detail: translate(p.language, text)})
}

func errorHeading(status int) string {
	switch status {
	case http.StatusNotFound:
		return "This does not exist"
	case http.StatusForbidden:
		return "You may not do this"
	case http.StatusConflict, http.StatusPreconditionFailed:
		return "This is not possible now"
	case http.StatusBadRequest:
		return "Something has to be corrected"
	case http.StatusServiceUnavailable:
		return "The service is not available"
	case http.StatusTooManyRequests:
		return "Too many requests"
	case http.StatusNotImplemented:
		return "This server cannot do this"
	}
	return "Something went wrong"
}

// problemOf returns the problem of a call, nil for other errors.
func problemOf(err error) *problem.Problem {
	var rejected *problem.Problem
	if errors.As(err, &rejected) {
		return rejected
	}
	return nil
}

// sentence begins a text of the API with a capital letter.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}

// form returns the value of a field of the posted form, without blanks around it.
func (p *page) form(name string) string { return strings.TrimSpace(p.r.PostForm.Get(name)) }
