package console

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
)

// maxSelection is how many tenants are moved in one go.
const maxSelection = 500

// selectionView is the data of the page that confirms a move of several tenants.
type selectionView struct {
	Move    move
	Tenants []dto.Tenant
	Canary  bool // The move can begin with canaries.
	Values  url.Values
	Error   string
}

// selection shows what a move of the chosen tenants would be.
func (p *page) selection() error { return p.showSelection(http.StatusOK, "") }

// showSelection shows the preview, with what was wrong with the form.
func (p *page) showSelection(status int, fault string) error {
	m, ok := findMove(p.form("move"))
	if !ok || !m.Many {
		p.fail(http.StatusBadRequest, "This cannot be done with several tenants.")
		return nil
	}
	if err := p.needs(m.Scope); err != nil {
		return err
	}
	v := selectionView{Move: m, Canary: m.Name == "migrate", Values: p.r.PostForm, Error: fault}
	var err error
	if v.Tenants, err = p.selected(); err != nil {
		return err
	}
	if len(v.Tenants) == 0 {
		p.fail(http.StatusBadRequest, "No tenant was selected. Go back and select some.")
		return nil
	}
	return p.render("selection", status, p.view("tenants", m.Verb, v))
}

// selected reads the tenants of the form: those that were ticked, those that match the filters of the list, or those
// of a blueprint that are behind.
func (p *page) selected() (all []dto.Tenant, err error) {
	if name := p.form("behind"); name != "" {
		return p.matching(url.Values{"blueprint": {name}, "behind": {"true"}})
	}
	if p.form("all") != "" {
		filter, err := url.ParseQuery(p.form("filter"))
		if err != nil {
			return nil, problem.New(http.StatusBadRequest, translate(p.language, "The form could not be read, or is too large."))
		}
		return p.matching(filter)
	}
	var ids []string // Each once, in their order.
	for _, id := range p.r.PostForm["id"] {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) > maxSelection {
		return nil, problem.New(http.StatusBadRequest, translate(p.language, "At most %d tenants can be processed in one go.", maxSelection))
	}
	for _, id := range ids {
		var t dto.Tenant
		err := p.doWithinLimit(apiCall{method: http.MethodGet, path: "/admin/tenants/" + url.PathEscape(id)}, &t)
		if rejected := problemOf(err); rejected != nil && rejected.Status == http.StatusNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// matching reads the tenants that match filters of the list, at most maxSelection, the newest first.
func (p *page) matching(filter url.Values) (all []dto.Tenant, err error) {
	query := listQuery(filter)
	query.Set("limit", "100")
	for len(all) < maxSelection {
		var list dto.TenantPage
		if err := p.api.get(p.ctx(), "/admin/tenants", query, &list); err != nil {
			return nil, err
		}
		all = append(all, list.Tenants...)
		if list.NextCursor == "" {
			break
		}
		query.Set("cursor", list.NextCursor)
	}
	return all[:min(len(all), maxSelection)], nil
}

// outcomeView is what became of one tenant.
type outcomeView struct {
	ID, Name string
	Detail   string // Why it failed; empty: it did not.
	Queued   bool
	Skipped  bool // A canary failed before.
	Took     int64
}

// runView is the data of the page that shows a move of several tenants.
type runView struct {
	Move                  move
	Total                 int
	Done, Failed, Skipped int
}

// runSelection moves the chosen tenants, one by one, and shows each outcome as it happens. The answer is one page that
// is written piece by piece, so it needs no script, and no memory of the server. It stops when the browser is gone.
func (p *page) runSelection() error {
	m, ok := findMove(p.form("move"))
	if !ok || !m.Many {
		p.fail(http.StatusBadRequest, "This cannot be done with several tenants.")
		return nil
	}
	if err := p.needs(m.Scope); err != nil {
		return err
	}
	tenants, err := p.selected()
	if err != nil {
		return err
	}
	canaries, fault := 0, error(nil)
	if text := p.form("canary"); text != "" {
		canaries, fault = strconv.Atoi(text)
	}
	switch {
	case fault != nil || canaries < 0:
		return p.showSelection(http.StatusBadRequest, translate(p.language, "The number of canaries is no whole number from 0."))
	case p.form("confirm") != strconv.Itoa(len(tenants)) || len(tenants) == 0:
		return p.showSelection(http.StatusBadRequest, translate(p.language, "The number does not match. Type %d to confirm.", len(tenants)))
	case m.Reason && p.form("reason") == "":
		return p.showSelection(http.StatusBadRequest, translate(p.language, "A reason is missing."))
	}
	v := runView{Move: m, Total: len(tenants)}
	out, err := p.beginPage("selection", "run", v)
	if err != nil {
		return err
	}
	for i, t := range tenants {
		if p.stopping() {
			v.Skipped += len(tenants) - i
			break
		}
		o := outcomeView{ID: t.ID.String(), Name: t.Name, Skipped: v.Skipped > 0 || i == canaries && canaries > 0 && v.Failed > 0}
		if o.Skipped {
			v.Skipped++
		} else {
			p.moveOne(m, &o, &v)
		}
		if err := out.part("outcome", o); err != nil {
			return nil //nolint:nilerr // The browser is gone.
		}
	}
	if err := out.part("summary", v); err != nil {
		return nil //nolint:nilerr // The browser is gone.
	}
	return out.end()
}

// moveOne moves one tenant of a selection.
func (p *page) moveOne(m move, o *outcomeView, v *runView) {
	began := time.Now()
	var answer movedAnswer
	err := p.doWithinLimit(m.call(o.ID, p.r.PostForm), &answer)
	o.Took, o.Queued = time.Since(began).Milliseconds(), answer.Queued()
	if err == nil {
		v.Done++
		return
	}
	v.Failed++
	o.Detail = translate(p.language, "The log of the server has the cause.")
	if rejected := problemOf(err); rejected != nil {
		o.Detail = rejected.Detail
	}
}

// limitPause is how long a selection waits when the person's limit of requests is used up, and limitPauses how often.
const (
	limitPause  = 2 * time.Second
	limitPauses = 45
)

// doWithinLimit makes a call, and waits while the person's limit of requests in a minute is used up: a selection is
// many requests.
func (p *page) doWithinLimit(call apiCall, target any) error {
	for range limitPauses {
		err := p.api.do(p.ctx(), call, target)
		if rejected := problemOf(err); rejected == nil || rejected.Status != http.StatusTooManyRequests {
			return err
		}
		select {
		case <-time.After(limitPause):
		case <-p.console.opts.Stopping:
			return err
		case <-p.ctx().Done():
			return p.ctx().Err()
		}
	}
	return p.api.do(p.ctx(), call, target)
}

// stopping reports whether the server stops.
func (p *page) stopping() bool {
	select {
	case <-p.console.opts.Stopping:
		return true
	default:
		return false
	}
}

// pageWriter writes a page piece by piece.
type pageWriter struct {
	page       *page
	file       string
	to         io.Writer
	zip        *gzip.Writer // Nil: not compressed.
	controller *http.ResponseController
	rest       []byte // What follows the pieces.
}

// beginPage writes a page up to the end of a block of its template; the pieces follow there.
func (p *page) beginPage(file, block string, data any) (*pageWriter, error) {
	v := p.view("tenants", "Progress", data)
	var inner, whole bytes.Buffer
	if err := p.console.views.fragment(&inner, p.language, file, block, v); err != nil {
		return nil, err
	}
	if err := p.console.views.page(&whole, p.language, "pieces", v); err != nil {
		return nil, err
	}
	before, after, found := bytes.Cut(whole.Bytes(), []byte(piecesMark))
	if !found {
		return nil, errors.New("the page has no place for pieces")
	}
	h := p.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", p.language)
	h.Set("X-Accel-Buffering", "no") // A proxy must forward the pieces immediately.
	w := &pageWriter{page: p, file: file, to: p.w, controller: http.NewResponseController(p.w), rest: after}
	if acceptsGzip(p.r) {
		h.Set("Content-Encoding", "gzip")
		w.zip = gzip.NewWriter(p.w)
		w.to = w.zip
	}
	p.w.WriteHeader(http.StatusOK)
	return w, w.write(before, inner.Bytes())
}

// piecesMark stands in the template pieces where the pieces go.
const piecesMark = "<!--pieces-->"

// part writes one piece.
func (w *pageWriter) part(block string, data any) error {
	var b bytes.Buffer
	if err := w.page.console.views.fragment(&b, w.page.language, w.file, block, data); err != nil {
		return err
	}
	return w.write(b.Bytes())
}

// end writes what follows the pieces.
func (w *pageWriter) end() error {
	if err := w.write(w.rest); err != nil || w.zip == nil {
		return nil //nolint:nilerr // The browser is gone.
	}
	return w.zip.Close()
}

func (w *pageWriter) write(parts ...[]byte) error {
	extendWriteDeadline(w.page.w)
	for _, part := range parts {
		if _, err := w.to.Write(part); err != nil {
			return err
		}
	}
	if w.zip != nil {
		if err := w.zip.Flush(); err != nil {
			return err
		}
	}
	return w.controller.Flush()
}
