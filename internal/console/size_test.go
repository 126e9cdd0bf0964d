//go:build unix

package console_test

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv/pagetest"
)

// The limits of the console's size, in bytes.
const (
	maxEmbedded  = 150_000
	maxFirstPage = 60_000
)

func TestConsole_EmbeddedSize(t *testing.T) {
	t.Parallel()
	total := int64(0)
	for _, dir := range []string{"assets", "templates"} {
		err := fs.WalkDir(os.DirFS("."), dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err == nil {
				total += info.Size()
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if total > maxEmbedded || total < maxEmbedded/10 {
		t.Errorf("assets and templates have %d bytes, of %d", total, maxEmbedded)
	}
}

var ownResource = regexp.MustCompile(`(?:src|href)="(/console/assets/[^"]+)"`)

// wire is how many bytes of a body a browser gets.
func (p *person) wire(path string) (size int, text string) {
	p.t.Helper()
	answer := p.begin(p.t.Context(), http.MethodGet, path, nil, "Accept-Encoding", "gzip, deflate, br")
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Encoding") != "gzip" {
		p.t.Fatalf("%s: %d %v, %v", path, answer.StatusCode, answer.Header, err)
	}
	return len(body), p.get(path).text
}

func TestConsole_Size(t *testing.T) {
	s := setup(t)
	for i := range 3 {
		s.submit(fmt.Sprintf("Clinic %d", i))
	}
	ada := s.person(s.key)
	total, text := ada.wire("/console")
	resources := ownResource.FindAllStringSubmatch(text, -1)
	for _, resource := range resources {
		size, _ := ada.wire(resource[1])
		total += size
	}
	if len(resources) != 5 || total > maxFirstPage {
		t.Errorf("the first page has %d bytes, of %d, with %d resources", total, maxFirstPage, len(resources))
	}

	b := s.open(1280)
	requests, err := watchRequests(b)
	if err != nil {
		t.Fatal(err)
	}
	b.signIn(s.key)
	for _, path := range []string{"/console", "/console/tenants", "/console/tenants/new", "/console/blueprints", "/console/contracts", "/console/keys", "/console/platform"} {
		b.visit(path)
		scripts := pagetest.Evaluate[[]float64](b.Page, `performance.getEntriesByType("resource").filter(e => e.name.includes("/console/assets/")).map(e => e.transferSize)`)
		if len(scripts) < 4 || slices.ContainsFunc(scripts, func(size float64) bool { return size > 0 }) {
			t.Errorf("%s loads assets again: %v", path, scripts)
		}
	}
	home, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	all := requests()
	for _, address := range all {
		if u, err := url.Parse(address); err != nil || u.Host != home.Host && u.Scheme != "data" { // Chromium draws its own fields with such images.
			t.Errorf("a page loads %s, %v", address, err)
		}
	}
	if len(all) < 10 {
		t.Errorf("only %q were seen", all)
	}
}

// watchRequests collects the addresses that a browser asks for.
func watchRequests(b *browser) (func() []string, error) {
	seen := &violations{} // A list with a lock.
	err := chromedp.Listen(b.Context, func(event any) {
		if e, ok := event.(*network.EventRequestWillBeSent); ok {
			seen.mu.Lock()
			defer seen.mu.Unlock()
			seen.found = append(seen.found, e.Request.URL)
		}
	})
	return seen.all, err
}

// fastest is how long a page takes at best.
func (p *person) fastest(path string) time.Duration {
	p.t.Helper()
	best := time.Hour
	for range 9 {
		began := time.Now()
		p.get(path).want(http.StatusOK)
		best = min(best, time.Since(began))
	}
	return best
}

// A page may take so many times as long with many tenants as with few, of which a very short time says nothing.
const (
	slower   = 20
	shortest = 20 * time.Millisecond
)

// TestConsole_ManyTenants: the list costs about the same with 50, 10,000 and 100,000 tenants, on its first page and on a deep one.
func TestConsole_ManyTenants(t *testing.T) {
	s := setup(t)
	s.kill()
	s.flags = []string{"--worker=false"} // A worker would look at the tenants.
	s.start()
	registry := s.registry()
	registry.AddMany(1, 60)
	ada := s.person(s.key)
	paths := []string{"/console", "/console/tenants", "/console/tenants?status=FAILED", "/console/tenants?q=T17", "/console/tenants?metadataKey=reseller&metadataValue=r7", "/console/contracts"}
	few := map[string]time.Duration{}
	for _, path := range paths {
		few[path] = max(ada.fastest(path), shortest)
	}
	size := 60
	for _, n := range []int{10_000, 100_000} {
		registry.AddMany(size+1, n)
		size = n
		for _, path := range paths {
			if took := ada.fastest(path); took > slower*few[path] {
				t.Errorf("%s takes %v with %d tenants, and %v with 60", path, took, n, few[path])
			}
		}
	}
	page := ada.get("/console/tenants").shows("100,000 tenants")
	next := ada.get(strings.ReplaceAll(regexp.MustCompile(`<a href="([^"]+)" rel="next">`).FindStringSubmatch(page.text)[1], "&amp;", "&")).want(http.StatusOK).shows("First page", "<bdi>T51</bdi>", "<bdi>T100</bdi>").lacks("<bdi>T50</bdi>", "<bdi>T101</bdi>")
	if !strings.Contains(next.text, `rel="next"`) {
		t.Error("the second page is the last one")
	}
	// A deep page, by its cursor: half of the tenants are before it.
	half := tenant.Position{CreatedAt: time.Date(2026, 1, 1, 0, 0, -50_000, 0, time.UTC), ID: uuid.MustParse(registry.Named("T50000").ID)}
	deep := "/console/tenants?cursor=" + dto.TenantCursor(dto.TenantList(tenant.ListQuery{}, "", ""), half)
	if took := ada.fastest(deep); took > slower*few["/console/tenants"] {
		t.Errorf("a deep page takes %v, and the first one %v", took, few["/console/tenants"])
	}
	ada.get(deep).shows("<bdi>T50001</bdi>", "<bdi>T50050</bdi>")
}
