package limits_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/limits"
)

func TestPlaces(t *testing.T) {
	t.Parallel()
	places := limits.NewPlaces("streams", "poll", 8, 4)
	var leave []func()
	take := func(caller string) (status int, detail string) {
		l, p := places.Take(caller)
		if p != nil {
			if p.Header().Get("Retry-After") == "" {
				t.Error("there is no Retry-After")
			}
			return p.Status, p.Detail
		}
		leave = append(leave, l)
		return 0, ""
	}
	for i := range 2 {
		if status, detail := take("a"); status != 0 {
			t.Fatalf("%d: %s", i, detail)
		}
	}
	if status, detail := take("a"); status != http.StatusTooManyRequests || !strings.Contains(detail, "this key has 2 streams open, the limit of one key, of the server's 8") {
		t.Errorf("%d: %s", status, detail)
	}
	for i := range 6 {
		if status, detail := take(fmt.Sprint("other ", i)); status != 0 {
			t.Fatalf("%d: %s", i, detail)
		}
	}
	if status, detail := take("b"); status != http.StatusServiceUnavailable || !strings.Contains(detail, "this server has 8 streams open, its limit") {
		t.Errorf("%d: %s", status, detail)
	}
	leave[0]()
	leave[0]() // Counts once.
	if n := places.Taken(); n != 7 {
		t.Errorf("%d places are taken", n)
	}
	if status, detail := take("a"); status != 0 {
		t.Errorf("%d: %s", status, detail)
	}
	if limits.NewPlaces("streams", "poll", 1, 4).Taken() != 0 {
		t.Error("a new one has no place taken")
	}
}
