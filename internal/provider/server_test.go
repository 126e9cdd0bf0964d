package provider

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// TestServer_WithoutOptionalInterfaces wraps a server of the framework without lists and
// actions, like older releases of it.
func TestServer_WithoutOptionalInterfaces(t *testing.T) {
	t.Parallel()
	own := newProvider("test", func(string) string { return "" })
	framework := struct{ tfprotov6.ProviderServer }{providerserver.NewProtocol6(own)()}
	s, ctx := newServer(framework, own), t.Context()

	said := map[string][]*tfprotov6.Diagnostic{}
	if r, err := s.ValidateListResourceConfig(ctx, &tfprotov6.ValidateListResourceConfigRequest{}); err != nil {
		t.Error(err)
	} else {
		said["validate list"] = r.Diagnostics
	}
	if r, err := s.ListResource(ctx, &tfprotov6.ListResourceRequest{}); err != nil {
		t.Error(err)
	} else {
		for result := range r.Results {
			said["list"] = append(said["list"], result.Diagnostics...)
		}
	}
	if r, err := s.ValidateActionConfig(ctx, &tfprotov6.ValidateActionConfigRequest{}); err != nil {
		t.Error(err)
	} else {
		said["validate action"] = r.Diagnostics
	}
	if r, err := s.PlanAction(ctx, &tfprotov6.PlanActionRequest{}); err != nil {
		t.Error(err)
	} else {
		said["plan action"] = r.Diagnostics
	}
	if r, err := s.InvokeAction(ctx, &tfprotov6.InvokeActionRequest{}); err != nil {
		t.Error(err)
	} else {
		for event := range r.Events {
			if completed, ok := event.Type.(tfprotov6.CompletedInvokeActionEventType); ok {
				said["invoke action"] = append(said["invoke action"], completed.Diagnostics...)
			}
		}
	}
	for _, call := range []string{"validate list", "list", "validate action", "plan action", "invoke action"} {
		if d := said[call]; len(d) != 1 || d[0].Severity != tfprotov6.DiagnosticSeverityError || d[0].Detail == "" {
			t.Errorf("%s: %+v", call, d)
		}
	}
	if schemas, err := s.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{}); err != nil || schemas.ResourceSchemas["healthcare_tenant"] == nil {
		t.Errorf("the rest does not work: %v", err)
	}
}

// TestServer_CountsChanges: an action counts as a change while it runs, because the provider
// lets changes end when Terraform was killed.
func TestServer_CountsChanges(t *testing.T) {
	t.Parallel()
	own := newProvider("test", func(string) string { return "" })
	s := newServer(struct{ tfprotov6.ProviderServer }{providerserver.NewProtocol6(own)()}, own)
	stream, err := s.InvokeAction(t.Context(), &tfprotov6.InvokeActionRequest{})
	if err != nil {
		t.Fatal(err)
	}
	events := 0
	for range stream.Events {
		events++
		if n := s.changes.Load(); n != 1 {
			t.Errorf("%d changes while the action runs", n)
		}
	}
	if n := s.changes.Load(); events != 1 || n != 0 {
		t.Errorf("%d events, %d changes after the action", events, n)
	}
}
