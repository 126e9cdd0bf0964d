package webhook_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// TestGuide_Request: a request has the body that the guide has.
func TestGuide_Request(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/guides/blueprints.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, found := strings.Cut(string(guide), "```json\n")
	example, _, _ = strings.Cut(example, "```")
	if !found {
		t.Fatal("the guide has no body of a request")
	}
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { body, _ = io.ReadAll(r.Body) }))
	defer server.Close()
	r := stepRequest(server.URL)
	r.Step.Definition.Name, r.Step.Attempt = "REGISTER_IN_DIRECTORY", 1
	r.Step.WebhookID = uuid.MustParse("0b0a6d5e-6f0f-4b0f-9d0c-6f2f5a0c8e11")
	r.Step.CreatedAt = time.Date(2026, 11, 27, 2, 53, 10, 0, time.UTC)
	r.Tenant = tenant.Tenant{
		ID: uuid.MustParse("01a21aeb-cd77-7d51-85e0-1a01b53002b1"), Name: "Lakeside Practice", ExternalID: "crm-4711", SchemaName: "lakeside_practice_1795747990903",
		Blueprint: "practice", BlueprintRevision: 3, SchemaVersion: 4, ContractID: "CCE6QXPYUJ4T63EMGEYKTMOR7LOOMWWYUD7LTQRR76NLTVCGKVN2ONWG", Locale: "de-AT",
		Metadata: map[string]string{"region": "north"}, Variables: map[string]string{"plan": "basic"}, Outputs: tenant.Outputs{"billing_id": "of an earlier step"},
		AdminEmail: "katherine@lakeside.example", AdminFirstName: "Katherine", AdminLastName: "Johnson",
	}
	if _, err := newClient(loopback).SendStep(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(example), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the request is\n%s\nand the guide has\n%s", body, example)
	}
}
