//go:build unix

package console_test

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// ownServer starts a PostgreSQL server of the test's own, which it can stop, and returns the URL of a registry there.
func ownServer(t *testing.T) (server *pgserver.Server, database string) {
	t.Helper()
	parent, err := os.MkdirTemp("", "console-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(parent) })
	if err := os.Chmod(parent, 0o755); err != nil { // Another user may run the server.
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	if server, err = pgserver.Start(ctx, pgserver.Options{Dir: filepath.Join(parent, "data")}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	if err := server.CreateDatabase(ctx, "registry"); err != nil {
		t.Fatal(err)
	}
	if err := testenv.Migrate(ctx, server.OwnerURL("registry")); err != nil {
		t.Fatal(err)
	}
	return server, server.OwnerURL("registry")
}

// TestConsole_DatabaseAway: pages say that PostgreSQL is away, and come back by themselves with the same session.
func TestConsole_DatabaseAway(t *testing.T) {
	t.Parallel()
	server, database := ownServer(t)
	s := setupOn(t, database)
	id := s.active("Clinic")
	p, b := s.person(s.key), s.signedIn(1280, s.key)
	b.visit("/console/tenants/" + id)
	if err := server.Crash(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/console", "/console/tenants", "/console/tenants/" + id, "/console/keys", "/console/platform"} {
		away := p.get(path).want(http.StatusServiceUnavailable).shows("The service is not available", "This page tries again every few seconds.")
		if away.header.Get("Retry-After") == "" || away.header.Get("Set-Cookie") != "" {
			t.Errorf("%s has %v", path, away.header)
		}
	}
	p.get("/console/tenants/"+id+"/health", "HX-Request", "true").want(http.StatusServiceUnavailable).lacks("<html")
	p.post("/console/tenants/"+id+"/moves/suspend", nil, "Content-Type", "application/x-www-form-urlencoded").want(http.StatusServiceUnavailable).lacks("tries again")
	(&person{site: s}).post("/console/sign-in", map[string][]string{"key": {s.key}}).want(http.StatusServiceUnavailable).shows(`name="key"`)
	(&person{site: s}).get("/console/sign-in").want(http.StatusOK)
	b.Do(chromedp.Navigate(s.url + "/console/tenants/" + id))
	b.see("This page tries again every few seconds.")
	if err := server.Resume(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	b.WaitFor(`document.querySelector("h1 + .badge")?.textContent === "Active"`)
	b.violations.drop()
	p.get("/console/tenants/"+id).want(http.StatusOK).shows("Clinic", "Active")
}

// tabs are open timelines of one person.
type tabs struct {
	answered, refused, ended atomic.Int64
	all                      sync.WaitGroup
}

// openTabs opens n timelines of a tenant, and returns when each has its first message.
func (p *person) openTabs(ctx context.Context, n int, id string) *tabs {
	p.t.Helper()
	var (
		opened sync.WaitGroup
		found  tabs
	)
	for range n {
		opened.Add(1)
		found.all.Go(func() {
			told := sync.OnceFunc(opened.Done)
			defer told()
			answered := sync.OnceFunc(func() { found.answered.Add(1); told() })
			for p.followTab(ctx, id, &found, answered) { // A tab without a place for a stream connects again.
				select {
				case <-time.After(5 * time.Second): // As a browser does, which waits some seconds between two tries.
				case <-ctx.Done():
				}
			}
		})
	}
	opened.Wait()
	return &found
}

// followTab reads the timeline of a tenant until it ends, and reports whether the tab has to connect again.
func (p *person) followTab(ctx context.Context, id string, found *tabs, answered func()) (again bool) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/console/tenants/"+id+"/timeline", nil)
	if err != nil {
		p.t.Error(err)
		return false
	}
	r.Header.Set("Hx-Request", "true")
	r.Header.Set("Cookie", sessionCookie+"="+p.session)
	answer, err := withoutRedirects.Do(r)
	if err != nil { // The server has stopped, or the test has ended.
		found.refused.Add(1)
		return false
	}
	defer func() { _ = answer.Body.Close() }() // Only read.
	if answer.StatusCode != http.StatusOK {
		found.refused.Add(1)
		return answer.StatusCode == http.StatusTooManyRequests
	}
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "data:") && strings.Contains(line, "<ol"):
			answered()
		case line == "event: later":
			again = true
		case line == "event: end":
			found.ended.Add(1)
			return false
		}
	}
	return again
}

// metric reads a metric of the server.
func (s *site) metric(name string) float64 {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.env[config.MetricsAddr]+"/metrics", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }() // Only read.
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if found := regexp.MustCompile(`^` + name + ` (\S+)$`).FindStringSubmatch(lines.Text()); found != nil {
			value, err := strconv.ParseFloat(found[1], 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return value
		}
	}
	s.t.Fatalf("there is no metric %s", name)
	return 0
}

// TestConsole_HundredTabs: one person has 100 live timelines open, more than the API has places for one key.
func TestConsole_HundredTabs(t *testing.T) {
	s := setup(t, config.MetricsAddr+"=127.0.0.1:"+testenv.FreePort(t))
	s.kill()
	s.flags = []string{"--worker=false"} // So the tenant waits until there is one.
	s.start()
	id := s.submit("Waiting Clinic")
	ada, grace := s.person(s.key), s.person(s.createKey("Grace", "tenants:read"))
	connections := func(ctx context.Context) int {
		var n int
		err := testenv.Connect(t, s.superuser()).QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename <> current_user`).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	heap, goroutines := s.metric("go_memstats_heap_inuse_bytes"), s.metric("go_goroutines")
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	open := ada.openTabs(ctx, 100, id)
	if open.answered.Load() != 100 || open.refused.Load() != 0 {
		t.Fatalf("%d of 100 tabs were answered, %d refused", open.answered.Load(), open.refused.Load())
	}
	for _, path := range []string{"/console", "/console/tenants", "/console/tenants/" + id} {
		ada.get(path).want(http.StatusOK)
		grace.get(path).want(http.StatusOK)
	}
	other := grace.openTabs(ctx, 1, id)
	if n := connections(ctx); n > 20 {
		t.Errorf("there are %d connections to PostgreSQL", n)
	}
	if grown := s.metric("go_memstats_heap_inuse_bytes") - heap; grown > 64<<20 {
		t.Errorf("100 tabs take %.0f bytes", grown)
	}
	worker := s.command("worker")
	worker.Env = append(worker.Env, config.MetricsAddr+"=")
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = worker.Process.Kill(); _ = worker.Wait() })
	open.all.Wait()
	other.all.Wait()
	if open.ended.Load() != 100 || other.ended.Load() != 1 {
		t.Errorf("%d of 100 tabs, and %d of the other person, saw the end", open.ended.Load(), other.ended.Load())
	}
	ada.get("/console/tenants/" + id).want(http.StatusOK).shows("Active")
	withoutRedirects.CloseIdleConnections()
	for deadline := time.Now().Add(20 * time.Second); s.metric("go_goroutines") > goroutines+20; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%v goroutines are left of %v", s.metric("go_goroutines"), goroutines)
		}
	}
}

// TestConsole_ServerStops: timelines that are open hold up no end of the server, also those without a place of their own.
func TestConsole_ServerStops(t *testing.T) {
	s := setup(t)
	s.kill()
	s.flags = []string{"--worker=false"}
	s.start()
	id := s.submit("Waiting Clinic")
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	open := s.person(s.key).openTabs(ctx, 70, id)
	connected, unconnected := s.signedIn(1280, s.key), s.signedIn(1280, s.key)
	connected.visit("/console/tenants/" + id)
	connected.WaitFor(`document.getElementById("timeline")._htmx?.sse !== undefined`)
	block := network.SetBlockedURLsParams{URLPatterns: []*network.BlockPattern{{URLPattern: "*://*:*/console/tenants/*/timeline", Block: true}}}
	if _, err := chromedp.Call(unconnected.Context, network.SetBlockedURLs, block); err != nil {
		t.Fatal(err)
	}
	unconnected.visit("/console/tenants/" + id)
	unconnected.WaitFor(`performance.getEntriesByType("resource").some(e => e.name.endsWith("/timeline"))`)
	if _, err := chromedp.Call(unconnected.Context, network.SetBlockedURLs, network.SetBlockedURLsParams{}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-s.ended
	open.all.Wait()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the server took %v to stop", took)
	}
	if open.answered.Load() != 70 || open.ended.Load() != 0 {
		t.Errorf("%d tabs were answered, and %d told that all is done", open.answered.Load(), open.ended.Load())
	}
	s.flags = nil
	s.start()
	for _, b := range []*browser{connected, unconnected} {
		b.WaitFor(`document.querySelector("h1 + .badge")?.textContent === "Active" && document.querySelectorAll(".steps > .completed").length === 7`)
		b.violations.drop()
	}
}
