package mailcatcher

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"join": strings.Join}).Parse(pageSource))

// contentSecurityPolicy prevents the page, and the mail in it, from loading anything.
const contentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func (c *Catcher) openHTTP(ctx context.Context) error {
	listener, addr, err := listen(ctx, c.options.HTTPAddr)
	if err != nil {
		return fmt.Errorf("listen for HTTP: %w", err)
	}
	c.httpAddr = addr
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.servePage)
	mux.HandleFunc("GET /messages", c.serveList)
	mux.HandleFunc("DELETE /messages", c.serveDelete)
	mux.HandleFunc("POST /empty", c.serveClearForm)
	mux.HandleFunc("GET /messages/{number}/raw", c.serveRaw)
	c.http = &http.Server{
		Handler:           requireLoopbackHost(http.NewCrossOriginProtection().Handler(mux)),
		ReadHeaderTimeout: 5 * time.Second,
	}
	c.served.Go(func() { _ = c.http.Serve(listener) }) // Ends with Close.
	return nil
}

// requireLoopbackHost refuses requests with a foreign host name, which a web site can
// send after it has pointed that name to this machine (DNS rebinding).
func requireLoopbackHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if host != "localhost" && net.ParseIP(strings.Trim(host, "[]")) == nil {
			http.Error(w, "use the address that the devstack printed", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (c *Catcher) serveList(w http.ResponseWriter, _ *http.Request) {
	messages := c.Messages()
	if messages == nil {
		messages = []Message{}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(messages); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(b.Bytes())
}

func (c *Catcher) serveDelete(w http.ResponseWriter, _ *http.Request) {
	c.store.clear()
	w.WriteHeader(http.StatusNoContent)
}

// serveClearForm is DELETE for an HTML form.
func (c *Catcher) serveClearForm(w http.ResponseWriter, r *http.Request) {
	c.store.clear()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (c *Catcher) serveRaw(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.Atoi(r.PathValue("number"))
	messages := c.Messages()
	i := slices.IndexFunc(messages, func(m Message) bool { return m.Number == number })
	if err != nil || i < 0 {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write([]byte(messages[i].Raw))
}

func (c *Catcher) servePage(w http.ResponseWriter, _ *http.Request) {
	messages := c.Messages()
	slices.Reverse(messages)
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, messages); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", contentSecurityPolicy)
	_, _ = w.Write(b.Bytes())
}
