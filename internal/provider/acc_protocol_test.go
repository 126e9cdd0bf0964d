package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provider"
)

// protocol calls the provider like a CLI, for features that the oldest CLI under test
// does not support.
type protocol struct {
	w      *testEnv
	server tfprotov6.ProviderServer
	schema *tfprotov6.GetProviderSchemaResponse
}

func (w *testEnv) protocol() *protocol {
	w.t.Helper()
	environment := w.environment()
	server, err := providerserver.NewProtocol6WithError(provider.New("test", func(name string) string { return environment[name] })())()
	if err != nil {
		w.t.Fatal(err)
	}
	p := &protocol{w: w, server: server}
	if p.schema, err = server.GetProviderSchema(w.t.Context(), &tfprotov6.GetProviderSchemaRequest{}); err != nil {
		w.t.Fatal(err)
	}
	answer, err := server.ConfigureProvider(w.t.Context(), &tfprotov6.ConfigureProviderRequest{Config: p.object(p.schema.Provider, nil)})
	if err != nil {
		w.t.Fatal(err)
	}
	p.assertNoErrors(answer.Diagnostics)
	return p
}

// object builds a configuration from some values; the others are null.
func (p *protocol) object(schema *tfprotov6.Schema, values map[string]any) *tfprotov6.DynamicValue {
	p.w.t.Helper()
	kind, ok := schema.ValueType().(tftypes.Object)
	if !ok {
		p.w.t.Fatalf("%T", schema.ValueType())
	}
	attributes := map[string]tftypes.Value{}
	for name, of := range kind.AttributeTypes {
		attributes[name] = tftypes.NewValue(of, values[name])
	}
	encoded, err := tfprotov6.NewDynamicValue(kind, tftypes.NewValue(kind, attributes))
	if err != nil {
		p.w.t.Fatal(err)
	}
	return &encoded
}

func (p *protocol) assertNoErrors(diags []*tfprotov6.Diagnostic) {
	p.w.t.Helper()
	for _, d := range diags {
		p.w.t.Fatalf("%s: %s", d.Summary, d.Detail)
	}
}

// invoke invokes an action and returns its progress messages and its error.
func (p *protocol) invoke(name string, values map[string]any) (progress []string, message string) {
	p.w.t.Helper()
	actions, ok := p.server.(tfprotov6.ProviderServerWithActions) //nolint:staticcheck // it has no other name yet
	if !ok {
		p.w.t.Fatal("the server knows no actions")
	}
	configuration := p.object(p.schema.ActionSchemas[name].Schema, values)
	checked, err := actions.ValidateActionConfig(p.w.t.Context(), &tfprotov6.ValidateActionConfigRequest{ActionType: name, Config: configuration})
	if err != nil {
		p.w.t.Fatal(err)
	}
	if len(checked.Diagnostics) > 0 {
		return nil, checked.Diagnostics[0].Detail
	}
	stream, err := actions.InvokeAction(p.w.t.Context(), &tfprotov6.InvokeActionRequest{ActionType: name, Config: configuration})
	if err != nil {
		p.w.t.Fatal(err)
	}
	for event := range stream.Events {
		switch e := event.Type.(type) {
		case tfprotov6.ProgressInvokeActionEventType:
			progress = append(progress, e.Message)
		case tfprotov6.CompletedInvokeActionEventType:
			for _, d := range e.Diagnostics {
				message += d.Summary + ": " + d.Detail
			}
		}
	}
	return progress, message
}

func TestAccActions(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setup(t, m, clinic)
		w.env["PURGE_RETENTION"] = "0s"
		w.mustApply()
		id := fmt.Sprint(w.state("healthcare_tenant.clinic")["id"])
		p := w.protocol()
		tenant := map[string]any{"tenant_id": id}

		w.mail.Reset()
		if progress, message := p.invoke("healthcare_tenant_invite", tenant); message != "" || !strings.Contains(strings.Join(progress, "\n"), "the welcome mail went to ada@st-marys.example") {
			t.Errorf("%q, %s", progress, message)
		}
		if n := len(w.mail.Messages()); n != 1 {
			t.Errorf("%d mails", n)
		}
		if _, message := p.invoke("healthcare_tenant_retry", tenant); !strings.Contains(message, "Could not retry tenant") || !strings.Contains(message, "ACTIVE") {
			t.Errorf("%s", message)
		}
		if _, message := p.invoke("healthcare_tenant_purge", map[string]any{"tenant_id": id, "confirm": "St. Mary's Clinic"}); !strings.Contains(message, "archive it first") {
			t.Errorf("%s", message)
		}
		if r := w.run("destroy", "-auto-approve", "-no-color"); r.code != 0 {
			t.Fatal(r.out)
		}
		if progress, message := p.invoke("healthcare_tenant_unarchive", tenant); message != "" || !strings.Contains(strings.Join(progress, "\n"), "is ACTIVE again") {
			t.Errorf("%q, %s", progress, message)
		}
		w.exec(`UPDATE tenants SET status = 'ARCHIVED', archived_at = now() - interval '1 hour'`)
		if _, message := p.invoke("healthcare_tenant_purge", map[string]any{"tenant_id": id, "confirm": "Another"}); !strings.Contains(message, "confirm is not the tenant's name") {
			t.Errorf("%s", message)
		}
		progress, message := p.invoke("healthcare_tenant_purge", map[string]any{"tenant_id": id, "confirm": "St. Mary's Clinic"})
		if message != "" || !strings.Contains(strings.Join(progress, "\n"), "its role are dropped") {
			t.Errorf("%q, %s", progress, message)
		}
		if _, message := p.invoke("healthcare_tenant_unarchive", map[string]any{"tenant_id": "what"}); !strings.Contains(message, "is not a UUID") {
			t.Errorf("%s", message)
		}
	})
}

func TestAccActions_RetryReportsSteps(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setup(t, m, clinic)
		w.env["SOROBAN_MAX_FEE"] = "100"
		if r := w.apply(); r.code == 0 {
			t.Fatal(r.out)
		}
		id := w.text(`SELECT id::text FROM tenants WHERE status = 'FAILED'`)
		delete(w.env, "SOROBAN_MAX_FEE")
		progress, message := w.protocol().invoke("healthcare_tenant_retry", map[string]any{"tenant_id": id})
		all := strings.Join(progress, "\n")
		for _, words := range []string{"step CREATE_SCHEMA is COMPLETED", "step DEPLOY_SOROBAN_CONTRACT is IN_PROGRESS", "step SEND_WELCOME_EMAIL is COMPLETED", `tenant "St. Mary's Clinic" is ACTIVE`} {
			if message != "" || !strings.Contains(all, words) {
				t.Errorf("want %q in %q, %s", words, all, message)
			}
		}
	})
}

// list lists tenants as terraform query does.
func (p *protocol) list(values map[string]any, limit int64, includeResource bool) (names []string, results []tfprotov6.ListResourceResult) {
	p.w.t.Helper()
	lists, ok := p.server.(tfprotov6.ProviderServerWithListResource) //nolint:staticcheck // it has no other name yet
	if !ok {
		p.w.t.Fatal("the server knows no lists")
	}
	const name = "healthcare_tenant"
	stream, err := lists.ListResource(p.w.t.Context(), &tfprotov6.ListResourceRequest{
		TypeName: name, Config: p.object(p.schema.ListResourceSchemas[name], values), Limit: limit, IncludeResource: includeResource,
	})
	if err != nil {
		p.w.t.Fatal(err)
	}
	for r := range stream.Results {
		names, results = append(names, r.DisplayName), append(results, r)
	}
	return names, results
}

func TestAccList(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setup(t, m, strings.Replace(clinic, `name             = "St. Mary's Clinic"`, "count = 3\n  name = \"Clinic ${count.index}\"", 1))
		w.mustApply("-parallelism=1")
		w.exec(`UPDATE tenants SET status = 'ARCHIVED', archived_at = now() WHERE name = 'Clinic 1'`)
		p := w.protocol()
		names, results := p.list(nil, 100, true)
		if len(names) != 2 || strings.Contains(strings.Join(names, " "), "Clinic 1") {
			t.Errorf("%v", names)
		}
		for _, r := range results {
			p.assertNoErrors(r.Diagnostics)
			identity, err := r.Identity.IdentityData.Unmarshal(tftypes.Object{AttributeTypes: map[string]tftypes.Type{"id": tftypes.String}})
			if err != nil || identity.IsNull() {
				t.Errorf("%v, %v", identity, err)
			}
			whole, err := r.Resource.Unmarshal(p.schema.ResourceSchemas["healthcare_tenant"].ValueType())
			var fields map[string]tftypes.Value
			var schema string
			if err != nil || whole.As(&fields) != nil || fields["schema_name"].As(&schema) != nil || !strings.HasPrefix(schema, "clinic_") {
				t.Errorf("%v, %v", whole, err)
			}
		}
		if names, _ := p.list(nil, 1, false); len(names) != 1 {
			t.Errorf("%v", names)
		}
		if names, _ := p.list(map[string]any{"search": "clinic 2"}, 100, false); len(names) != 1 || names[0] != "Clinic 2" {
			t.Errorf("%v", names)
		}
	})
}

func TestAccList_ReportsErrors(t *testing.T) {
	w := setup(t, databaseMode, "")
	w.env["DATABASE_URL"] = "postgres://u@127.0.0.1:1/d?connect_timeout=1"
	_, results := w.protocol().list(nil, 10, false)
	if len(results) != 1 || len(results[0].Diagnostics) != 1 || !strings.Contains(results[0].Diagnostics[0].Detail, "the database does not answer") {
		t.Errorf("%+v", results)
	}
}
