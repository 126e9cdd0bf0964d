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
	defer answer.Body.Close()
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

// fillTenants adds tenants up to a number, by SQL. The triggers, which run for each row, are off.
func (s *site) fillTenants(from, to int) {
	s.t.Helper()
	conn := s.connection()
	for _, statement := range []string{`SET session_replication_role = replica`, fmt.Sprintf(`INSERT INTO tenants (id, name, name_key, schema_name, status, admin_email, admin_first_name, admin_last_name, soroban_contract_id, activated_at, created_at, blueprint, metadata)
		SELECT gen_random_uuid(), 'T' || n, 't' || n, 't_' || n, CASE WHEN n %% 100 = 0 THEN 'FAILED' ELSE 'ACTIVE' END, 'a@b.example', 'A', 'B', repeat('C', 56), now(), timestamptz '2026-01-01' - n * interval '1 second',
			'standard', jsonb_build_object('reseller', 'r' || n %% 1000) FROM generate_series(%d, %d) n`, from+1, to),
		`UPDATE tenant_counts SET failed = (SELECT count(*) FROM tenants WHERE status = 'FAILED'), active = (SELECT count(*) FROM tenants WHERE status = 'ACTIVE') WHERE slot = (SELECT min(slot) FROM tenant_counts)`, `ANALYZE tenants`} {
		if _, err := conn.Exec(s.t.Context(), statement); err != nil {
			s.t.Fatal(err)
		}
	}
}

// A page may take so many times as long with many tenants as with few, of which a very short time says nothing.
const (
	slower   = 5
	shortest = 20 * time.Millisecond
)

// TestConsole_ManyTenants: the list costs about the same with 50, 10,000 and 100,000 tenants, on its first page and on a deep one.
func TestConsole_ManyTenants(t *testing.T) {
	s := setup(t)
	s.kill()
	s.flags = []string{"--worker=false"} // A worker would look at the tenants.
	s.start()
	s.fillTenants(0, 60)
	ada := s.person(s.key)
	paths := []string{"/console", "/console/tenants", "/console/tenants?status=FAILED", "/console/tenants?q=T17", "/console/tenants?metadataKey=reseller&metadataValue=r7", "/console/contracts"}
	few := map[string]time.Duration{}
	for _, path := range paths {
		few[path] = max(ada.fastest(path), shortest)
	}
	size := 60
	for _, n := range []int{10_000, 100_000} {
		s.fillTenants(size, n)
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
	var half tenant.Position
	if err := s.connection().QueryRow(t.Context(), `SELECT id, created_at FROM tenants WHERE name = 'T50000'`).Scan(&half.ID, &half.CreatedAt); err != nil {
		t.Fatal(err)
	}
	deep := "/console/tenants?cursor=" + dto.TenantCursor(dto.TenantList(tenant.ListQuery{}, "", ""), half)
	if took := ada.fastest(deep); took > slower*few["/console/tenants"] {
		t.Errorf("a deep page takes %v, and the first one %v", took, few["/console/tenants"])
	}
	ada.get(deep).shows("<bdi>T50001</bdi>", "<bdi>T50050</bdi>")
}
