package limits

import (
	"fmt"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
)

func TestRateLimiter_Take(t *testing.T) {
	t.Parallel()
	t.Run("EvictsInactiveBuckets", func(t *testing.T) {
		t.Parallel()
		l := NewRateLimiter(1, clock.System{})
		if !l.Take("regular").Allowed {
			t.Fatal("the first is refused")
		}
		for i := range 3 * maxBuckets {
			l.Take(fmt.Sprint(i))
			if i%1000 == 0 && l.Take("regular").Allowed {
				t.Fatal("the bucket of an active name was evicted")
			}
		}
		if n := len(l.current) + len(l.previous); n > maxBuckets {
			t.Errorf("%d buckets", n)
		}
	})
	t.Run("CountsByName", func(t *testing.T) {
		t.Parallel()
		l := NewRateLimiter(2, clock.System{})
		for _, c := range []struct {
			name      string
			ok        bool
			remaining int
		}{{"a", true, 1}, {"a", true, 0}, {"a", false, 0}, {"b", true, 1}} {
			if v := l.Take(c.name); v.Allowed != c.ok || v.remaining != c.remaining || v.limit != 2 || !v.Allowed && (v.retryAfter <= 29*time.Second || v.retryAfter > 30*time.Second) {
				t.Errorf("%+v, want %+v", v, c)
			}
		}
	})
}

func TestAddressPrefix(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "2001:db8:1:2::": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "::ffff:192.0.2.1": "::ffff:192.0.2.1", "odd": "odd", "": "",
	} {
		if got := AddressPrefix(address); got != want {
			t.Errorf("%q is in %q, want %q", address, got, want)
		}
	}
}
