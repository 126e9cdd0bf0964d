package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// rule is a rule of package provisioning for one field, as a validator: what is
// refused at apply is refused at plan, with the same words.
type rule struct {
	field string
	check func(string) error
}

func (r rule) Description(context.Context) string           { return "follows the rule for " + r.field }
func (r rule) MarkdownDescription(c context.Context) string { return r.Description(c) }

func (r rule) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if err := r.check(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid "+r.field, "The "+r.field+" "+err.Error()+".")
	}
}

// metadataRule checks the map as soon as all of it is known.
type metadataRule struct{}

func (metadataRule) Description(context.Context) string {
	return "has at most 64 keys of 63 and values of 1024 characters"
}
func (r metadataRule) MarkdownDescription(c context.Context) string { return r.Description(c) }

func (metadataRule) ValidateMap(ctx context.Context, req validator.MapRequest, resp *validator.MapResponse) {
	values, known := knownMap(req.ConfigValue)
	if !known {
		return
	}
	for key, element := range req.ConfigValue.Elements() {
		if element.IsNull() {
			resp.Diagnostics.AddAttributeError(req.Path.AtMapKey(key), "Invalid metadata",
				fmt.Sprintf("The metadata has no value under key %q; give one, or leave the key out.", key))
			return
		}
	}
	if err := provisioning.CheckMetadata(values); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid metadata", "The metadata "+err.Error()+".")
	}
}

// knownMap gives a map's elements, and whether all of them are known.
func knownMap(m types.Map) (map[string]string, bool) {
	if m.IsUnknown() {
		return nil, false
	}
	values := make(map[string]string, len(m.Elements()))
	for key, element := range m.Elements() {
		text, ok := element.(types.String)
		if !ok || text.IsUnknown() {
			return nil, false
		}
		values[key] = text.ValueString()
	}
	return values, true
}
