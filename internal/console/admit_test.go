package console

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/console/signin"
)

// nobody are sessions of a server at which nobody is signed in.
type nobody struct{ Sessions }

func (nobody) Current(*http.Request) (auth.Identity, config.Secret, error) {
	return auth.Identity{}, "", signin.ErrNotSignedIn
}

func (nobody) OIDC() bool { return false }

func (nobody) WithKey(http.ResponseWriter, *http.Request, config.Secret) error {
	return problem.New(http.StatusUnauthorized, "the key is unknown")
}

// slowBody is a form that arrives while a test looks.
type slowBody struct {
	io.Reader
	reading func()
}

func (b slowBody) Read(p []byte) (int, error) {
	b.reading()
	return b.Reader.Read(p)
}

// TestConsole_HoldsNothingForUnknownPeople: a place of the server is taken when the form is complete, and not for what
// everybody may read.
func TestConsole_HoldsNothingForUnknownPeople(t *testing.T) {
	t.Parallel()
	taken, left := 0, 0
	c, err := New(Options{API: http.NotFoundHandler(), Sessions: nobody{}, Admit: func(*http.Request) (func(), error) {
		taken++
		return func() { left++ }, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	serve := func(method, path string, body io.Reader, length int64) int {
		r := httptest.NewRequest(method, path, body)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.ContentLength = length
		w := httptest.NewRecorder()
		c.ServeHTTP(w, r)
		return w.Code
	}
	body := slowBody{strings.NewReader("key=hck_x"), func() {
		if taken != 0 {
			t.Error("a place is taken while the form arrives")
		}
	}}
	if status := serve(http.MethodPost, "/console/sign-in", body, 9); status != http.StatusUnauthorized || taken != 1 || left != 1 {
		t.Errorf("%d, %d places taken, %d left", status, taken, left)
	}
	for _, path := range []string{"/console/sign-in", c.assets.path("console.css"), "/console/assets/absent"} {
		serve(http.MethodGet, path, http.NoBody, 0)
	}
	if taken != 1 {
		t.Errorf("%d places are taken for what everybody may read", taken-1)
	}
	large := "key=" + strings.Repeat("x", maxPublicForm)
	for _, length := range []int64{int64(len(large)), -1} {
		if status := serve(http.MethodPost, "/console/sign-in", strings.NewReader(large), length); status != http.StatusBadRequest || taken != 1 {
			t.Errorf("a large form of an unknown person: %d, %d places", status, taken)
		}
	}
	c.opts.Admit = func(*http.Request) (func(), error) {
		return nil, problem.New(http.StatusServiceUnavailable, "this server has 960 requests in progress")
	}
	if status := serve(http.MethodGet, "/console", http.NoBody, 0); status != http.StatusServiceUnavailable {
		t.Errorf("without a place: %d", status)
	}
}
