package api_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
)

// reverseProxy is a proxy on the same machine as the server: it appends the address that it was
// reached from to what the client sent.
type reverseProxy struct {
	http.RoundTripper
	client string
}

func (p reverseProxy) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	sent := append(r.Header.Values("X-Forwarded-For"), p.client)
	r.Header.Set("X-Forwarded-For", strings.Join(sent, ", "))
	return p.RoundTripper.RoundTrip(r)
}

// through returns the same server as a client behind the proxy sees it.
func (b *testServer) through(client string) *testServer {
	c := *b
	c.client = &http.Client{Transport: reverseProxy{b.client.Transport, client}}
	return &c
}

// setupBehind is a server that trusts proxies, whose limits do not refill.
func setupBehind(t *testing.T, trusted ...string) *testServer {
	t.Helper()
	o := serverOptions{Options: api.Options{AuthFailureLimit: 3}}
	for _, p := range trusted {
		o.TrustedProxies = append(o.TrustedProxies, netip.MustParsePrefix(p))
	}
	b := setupWith(t, o)
	b.clock.stop()
	return b
}

// exhaust takes all requests about invitations of a client. Each has headers of its own.
func (b *testServer) exhaust(header func(i int) string) {
	b.t.Helper()
	last := 0
	for i := range 61 {
		last = b.do(http.MethodPost, "/invitations/inspect", map[string]any{"token": fmt.Sprint(i)}, "Authorization", "", "X-Forwarded-For", header(i)).status
	}
	if last != http.StatusTooManyRequests {
		b.t.Errorf("61 requests of one client: %d", last)
	}
}

func nothing(int) string { return "" }

// wantLimited fails the test unless a client is limited, or is not.
func (b *testServer) wantLimited(limited bool) {
	b.t.Helper()
	got := b.invited("inspect", map[string]any{"token": "x"})
	if (got.status == http.StatusTooManyRequests) != limited {
		b.t.Errorf("%d, limited: %t", got.status, limited)
	}
}

func TestServer_ClientAddress(t *testing.T) {
	t.Parallel()

	t.Run("ClientsOfOneProxyShareNoLimit", func(t *testing.T) {
		b := setupBehind(t, "127.0.0.1/32")
		b.through("203.0.113.5").exhaust(nothing)
		b.through("203.0.113.5").wantLimited(true)
		b.through("203.0.113.6").wantLimited(false)
		b.wantLimited(false) // The proxy itself, as for its own checks.
	})
	t.Run("IPv6ClientsShareTheirNetworksLimit", func(t *testing.T) {
		b := setupBehind(t, "127.0.0.1/32")
		b.through("2001:db8:2::5").exhaust(nothing)
		b.through("[2001:db8:2::6]:4711").wantLimited(true)
		b.through("2001:db8:3::5").wantLimited(false)
	})
	t.Run("ClientOfAProxyCannotChoose", func(t *testing.T) {
		b := setupBehind(t, "127.0.0.1/32")
		b.through("203.0.113.5").exhaust(func(i int) string { return fmt.Sprintf("198.51.100.%d", i) })
		b.through("203.0.113.5").wantLimited(true)
		b.through("198.51.100.1").wantLimited(false) // Nobody's requests were taken.
	})
	t.Run("ThousandEntries", func(t *testing.T) {
		b := setupBehind(t, "127.0.0.1/32")
		b.through("203.0.113.5").exhaust(func(i int) string { return strings.Repeat(fmt.Sprintf("10.0.0.%d,", i), 1000) + "10.0.0.1" })
		b.through("203.0.113.6").wantLimited(false)
		b.exhaust(func(i int) string { return fmt.Sprintf("198.51.100.%d", i) + strings.Repeat(",127.0.0.1", 1000) })
	})
	for name, trusted := range map[string][]string{"DirectPeerCannotChoose": {"192.0.2.9/32"}, "WithoutTrustedProxies": nil} {
		t.Run(name, func(t *testing.T) {
			b := setupBehind(t, trusted...)
			b.exhaust(func(i int) string { return fmt.Sprintf("198.51.100.%d, 192.0.2.9", i) })
			b.wantLimited(true)
		})
	}
	t.Run("RejectionsHaveIt", func(t *testing.T) {
		b := setupBehind(t, "127.0.0.1/32")
		for range 4 {
			b.through("203.0.113.5").do(http.MethodGet, "/admin/tenants", nil, "Authorization", "Bearer "+unknownToken(1), "X-Forwarded-For", "198.51.100.1")
		}
		b.through("203.0.113.5").do(http.MethodGet, "/admin/tenants", nil, "Authorization", "").want(http.StatusTooManyRequests)
		b.through("203.0.113.6").do(http.MethodGet, "/admin/tenants", nil, "Authorization", "").want(http.StatusUnauthorized)
		addresses := map[string]int{}
		for _, e := range b.auditRejections(uuid.Nil) {
			addresses[e.Caller.Address]++
		}
		if addresses["203.0.113.5"] != 4 || addresses["203.0.113.6"] != 1 || len(addresses) != 2 {
			t.Errorf("%v", addresses)
		}
		if log := b.log.String(); !strings.Contains(log, "address=203.0.113.5") || strings.Contains(log, "198.51.100.1") {
			t.Error("the log has another address")
		}
	})
	t.Run("ChangesHaveIt", func(t *testing.T) {
		b := setupBehind(t, "127.0.0.1/32")
		made := b.through("203.0.113.5").do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted)
		id := uuid.MustParse(made.str("tenantId"))
		found, err := b.db.Events(t.Context(), id, 0, 10)
		if err != nil || len(found) == 0 || found[0].Caller.Address != "203.0.113.5" {
			t.Errorf("%+v, %v", found, err)
		}
	})
}
