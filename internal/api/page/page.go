// Package page serves pages that are one file each: their script and style are inside, and they
// load nothing from elsewhere.
package page

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
)

// Page is a page with its content security policy.
type Page struct {
	html   string
	policy func() string // Made when the page is asked for: most programs never serve it.
}

// New returns a page. Its policy permits only the page's script and style, by their hashes, calls
// to the page's own server, and what more lists, such as "img-src data:".
func New(html string, more ...string) *Page {
	return &Page{html, sync.OnceValue(func() string { return policyOf(html, more) })}
}

func policyOf(html string, more []string) string {
	hash := func(tag string) string {
		_, after, _ := strings.Cut(html, "<"+tag+">")
		text, _, _ := strings.Cut(after, "</"+tag+">")
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return strings.Join(append([]string{
		"default-src 'none'", "script-src " + hash("script"), "style-src " + hash("style"), "connect-src 'self'",
		"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
	}, more...), "; ")
}

// Serve writes the page.
func (p *Page) Serve(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy())
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write([]byte(p.html))
}
