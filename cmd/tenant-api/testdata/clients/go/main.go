// Command client is a tenant's life with the client that oapi-codegen generates.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	client, err := NewClientWithResponses(os.Getenv("BASE_URL"), WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+os.Getenv("TOKEN"))
		return nil
	}))
	if err != nil {
		return err
	}
	clinic := CreateRequest{Name: "Clinic", AdminEmail: "ada@clinic.example", AdminFirstName: "Ada", AdminLastName: "Lovelace"}
	created, err := client.CreateTenantWithResponse(ctx, nil, clinic)
	if err != nil {
		return err
	}
	if created.JSON202 == nil {
		return fmt.Errorf("not created: %s", created.Body)
	}
	fmt.Println(created.JSON202.Status)
	id := created.JSON202.TenantId
	if err := follow(ctx, client, id); err != nil {
		return err
	}
	fmt.Println("ACTIVE")
	if err := readErrors(ctx, client, clinic); err != nil {
		return err
	}

	archived, err := client.ArchiveTenantWithResponse(ctx, id)
	if err != nil {
		return err
	}
	if archived.JSON200 == nil {
		return fmt.Errorf("not archived: %s", archived.Body)
	}
	fmt.Println(archived.JSON200.Status)
	return nil
}

// follow returns when the tenant is ACTIVE.
func follow(ctx context.Context, client *ClientWithResponses, id uuid.UUID) error {
	for status := ""; status != "ACTIVE"; time.Sleep(100 * time.Millisecond) { // Between two looks.
		got, err := client.GetTenantWithResponse(ctx, id, nil)
		if err != nil {
			return err
		}
		if got.JSON200 == nil || got.JSON200.Status == "FAILED" {
			return fmt.Errorf("not active: %s", got.Body)
		}
		status = string(got.JSON200.Status)
	}
	return nil
}

// readErrors sends a request with a faulty field, and one for a name that is taken.
func readErrors(ctx context.Context, client *ClientWithResponses, clinic CreateRequest) error {
	faulty := clinic
	faulty.Name, faulty.AdminEmail = "Other", "nobody"
	for _, body := range []CreateRequest{faulty, clinic} {
		got, err := client.CreateTenantWithResponse(ctx, nil, body)
		if err != nil {
			return err
		}
		problem := got.ApplicationproblemJSON400
		if problem == nil {
			problem = got.ApplicationproblemJSON409
		}
		if problem == nil {
			return fmt.Errorf("a faulty request was accepted: %s", got.Body)
		}
		var fields []string
		for _, e := range problem.Errors {
			fields = append(fields, e.Field)
		}
		fmt.Println(problem.Status, strings.Join(fields, " "))
	}
	return nil
}
