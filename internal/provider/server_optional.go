package provider

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// unsupported returns the diagnostic of a call that the framework's server does not implement.
func unsupported(what string) []*tfprotov6.Diagnostic {
	return []*tfprotov6.Diagnostic{{
		Severity: tfprotov6.DiagnosticSeverityError,
		Summary:  "Unexpected provider data type",
		Detail:   "The plugin framework in this build of the provider does not serve " + what + ". Nothing was changed. This is a defect of the provider; report it.",
	}}
}

// noLists is used when the framework's server has no list resources.
type noLists struct{}

// ValidateListResourceConfig is part of tfprotov6.ListResourceServer.
func (noLists) ValidateListResourceConfig(context.Context, *tfprotov6.ValidateListResourceConfigRequest) (*tfprotov6.ValidateListResourceConfigResponse, error) {
	return &tfprotov6.ValidateListResourceConfigResponse{Diagnostics: unsupported("list resources")}, nil
}

// ListResource is part of tfprotov6.ListResourceServer.
func (noLists) ListResource(context.Context, *tfprotov6.ListResourceRequest) (*tfprotov6.ListResourceServerStream, error) {
	return &tfprotov6.ListResourceServerStream{
		Results: slices.Values([]tfprotov6.ListResourceResult{{Diagnostics: unsupported("list resources")}}),
	}, nil
}

// noActions is used when the framework's server has no actions.
type noActions struct{}

// ValidateActionConfig is part of tfprotov6.ActionServer.
func (noActions) ValidateActionConfig(context.Context, *tfprotov6.ValidateActionConfigRequest) (*tfprotov6.ValidateActionConfigResponse, error) {
	return &tfprotov6.ValidateActionConfigResponse{Diagnostics: unsupported("actions")}, nil
}

// PlanAction is part of tfprotov6.ActionServer.
func (noActions) PlanAction(context.Context, *tfprotov6.PlanActionRequest) (*tfprotov6.PlanActionResponse, error) {
	return &tfprotov6.PlanActionResponse{Diagnostics: unsupported("actions")}, nil
}

// InvokeAction is part of tfprotov6.ActionServer.
func (noActions) InvokeAction(context.Context, *tfprotov6.InvokeActionRequest) (*tfprotov6.InvokeActionServerStream, error) {
	return &tfprotov6.InvokeActionServerStream{
		Events: slices.Values([]tfprotov6.InvokeActionEvent{{Type: tfprotov6.CompletedInvokeActionEventType{Diagnostics: unsupported("actions")}}}),
	}, nil
}
