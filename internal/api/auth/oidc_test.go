package auth

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

func TestIssuer_Discovery(t *testing.T) {
	t.Parallel()
	t.Run("CancelledCallerReturnsImmediately", func(t *testing.T) {
		t.Parallel()
		asked, proceed := make(chan struct{}), make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			close(asked) // A second request would panic.
			<-proceed
		}))
		defer server.Close()
		proceeds := sync.OnceFunc(func() { close(proceed) })
		defer proceeds() // Before the server closes, which waits for its requests.
		i := newIssuer(OIDC{Issuer: server.URL, Audience: "x"}, clock.System{})
		first := make(chan error, 1)
		go func() { _, err := i.verify(t.Context(), "e30.e30.e30"); first <- err }()
		<-asked
		gone, leave := context.WithCancel(t.Context())
		leave()
		second := make(chan error, 1)
		go func() { _, err := i.verify(gone, "e30.e30.e30"); second <- err }()
		select {
		case err := <-second:
			if errs.KindOf(err) != errs.KindCancelled {
				t.Errorf("%v", err)
			}
		case err := <-first:
			t.Fatalf("it waited until the first caller had its answer, %v", err)
		}
		proceeds()
		if err := <-first; errs.KindOf(err) != errs.KindTransient {
			t.Errorf("%v", err)
		}
	})
}

func TestAsymmetricAlgorithms(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprint(asymmetricAlgorithms([]string{"none", "HS256", "RS256", "HS512", "EdDSA", "odd"})); got != "[RS256 EdDSA]" {
		t.Error(got)
	}
}
