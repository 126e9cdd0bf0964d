//go:build unix

package main_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// TestConsoleGuide runs the commands of the guide: the keys that they make lead to the pages, and the session of a key ends
// with it.
func TestConsoleGuide(t *testing.T) {
	w := setup(t)
	g := w.guideShell("console")
	admin := strings.TrimSpace(g.mustShell(g.script("key.sh")).out)
	reader := strings.TrimSpace(g.mustShell(g.script("read.sh")).out)
	server := w.start("", "serve")
	ada, night := server.signInWithKey(admin), server.signInWithKey(reader)
	if a := server.visit(server.url+"/console/keys", ada); a.status != http.StatusOK {
		t.Errorf("Ada Lovelace gets %d", a.status)
	}
	if a := server.visit(server.url+"/console/tenants", night); a.status != http.StatusOK {
		t.Errorf("the night shift gets %d", a.status)
	}
	if a := server.visit(server.url+"/console/tenants/new", night); a.status != http.StatusForbidden {
		t.Errorf("the night shift may create tenants: %d", a.status)
	}
	prefix := regexp.MustCompile(`^hck_([a-z2-7]{12})\.`).FindStringSubmatch(reader)
	if prefix == nil {
		t.Fatal("read.sh prints no key")
	}
	ended := g.mustShell("PREFIX=" + prefix[1] + "\n" + g.script("end.sh"))
	if !strings.Contains(ended.out, "Night shift") || !strings.Contains(ended.err, "is revoked since") {
		t.Errorf("end.sh: %s%s", ended.out, ended.err)
	}
	if a := server.visit(server.url+"/console/tenants", night); a.status != http.StatusSeeOther || !strings.Contains(a.location, "ended=1") {
		t.Errorf("the session of the revoked key gets %d, %s", a.status, a.location)
	}
	if a := server.visit(server.url+"/console/tenants", ada); a.status != http.StatusOK {
		t.Errorf("another session gets %d", a.status)
	}
}

// signInWithKey signs in with an API key and returns the cookie of the session.
func (p *process) signInWithKey(key string) (session string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url+"/console/sign-in", strings.NewReader(url.Values{"key": {key}}.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := p.ask(r)
	if answer.status != http.StatusSeeOther || len(answer.cookies) != 1 {
		p.t.Fatalf("signing in is answered with %d and %v", answer.status, answer.cookies)
	}
	return answer.cookies[0].Name + "=" + answer.cookies[0].Value
}
