package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// fieldValidator applies a rule of package tenant to one attribute, so that plan rejects
// with the same message what apply would reject.
type fieldValidator struct {
	field string
	check func(string) error
}

func (r fieldValidator) Description(context.Context) string           { return "follows the rule for " + r.field }
func (r fieldValidator) MarkdownDescription(c context.Context) string { return r.Description(c) }

func (r fieldValidator) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if err := r.check(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid "+r.field, "The "+r.field+" "+err.Error()+".")
	}
}

// mapValidator applies a rule of package tenant to a map once all of it is known.
type mapValidator struct {
	field string // The attribute.
	noun  string // What messages call it: "map of variables".
	check func(map[string]string) error
}

func (r mapValidator) Description(context.Context) string           { return "follows the rule for " + r.field }
func (r mapValidator) MarkdownDescription(c context.Context) string { return r.Description(c) }

func (r mapValidator) ValidateMap(ctx context.Context, req validator.MapRequest, resp *validator.MapResponse) {
	values, known := knownMap(req.ConfigValue)
	if !known {
		return
	}
	for key, element := range req.ConfigValue.Elements() {
		if element.IsNull() {
			resp.Diagnostics.AddAttributeError(req.Path.AtMapKey(key), "Invalid "+r.field,
				fmt.Sprintf("The %s has no value under key %q; give one, or remove the key.", r.noun, key))
			return
		}
	}
	if err := r.check(values); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid "+r.field, "The "+r.noun+" "+err.Error()+".")
	}
}

// knownMap returns a map's elements, and whether all of them are known.
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
