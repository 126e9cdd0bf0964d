package apiclient_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/apiclient"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// The client has the operations and errors of the service in the process: a missing tenant
// is KindNotFound here, too.
func ExampleClient_Get() {
	// In place of a tenant-api, which "make dev" starts.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprintf(w, `{"title": "Not Found", "status": 404, "detail": "there is no tenant %s"}`, r.PathValue("id"))
	}))
	defer server.Close()

	client, err := apiclient.New(apiclient.Options{URL: server.URL, Token: "hck_abcdefghijkl.secret"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Get(context.Background(), uuid.MustParse("0199a1f0-5f0b-7c2e-9d35-3f6f1a1e7b11"))
	var e *errs.Error
	fmt.Println(errors.As(err, &e), errs.KindOf(err) == errs.KindNotFound)
	// Output: true true
}
