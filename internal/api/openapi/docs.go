package openapi

import (
	"crypto/sha256"
	_ "embed" // For the page.
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
)

// docsPage shows the OpenAPI document. It is one file and loads only that document.
//
//go:embed docs.html
var docsPage string

// docsCSP permits only the page's script and style, by their hashes.
var docsCSP = sync.OnceValue(func() string {
	hash := func(tag string) string {
		_, after, _ := strings.Cut(docsPage, "<"+tag+">")
		text, _, _ := strings.Cut(after, "</"+tag+">")
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return strings.Join([]string{
		"default-src 'none'", "script-src " + hash("script"), "style-src " + hash("style"), "connect-src 'self'",
		"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
	}, "; ")
})

// ServeDocs serves the page.
func ServeDocs(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", docsCSP())
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write([]byte(docsPage))
}
