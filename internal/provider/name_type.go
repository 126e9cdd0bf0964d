package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// nameType is a string that is stored trimmed and in Unicode's composed form.
// Two spellings of one name are equal, so a trailing space in HCL is no difference
// between configuration and state.
type nameType struct{ basetypes.StringType }

var _ basetypes.StringTypable = nameType{}

func (t nameType) Equal(o attr.Type) bool {
	other, ok := o.(nameType)
	return ok && t.StringType.Equal(other.StringType)
}

func (nameType) String() string { return "name" }

func (nameType) ValueFromString(_ context.Context, in basetypes.StringValue) (basetypes.StringValuable, diag.Diagnostics) {
	return nameValue{StringValue: in}, nil
}

func (t nameType) ValueFromTerraform(ctx context.Context, in tftypes.Value) (attr.Value, error) {
	value, err := t.StringType.ValueFromTerraform(ctx, in)
	if err != nil {
		return nil, err
	}
	text, ok := value.(basetypes.StringValue)
	if !ok {
		return nil, fmt.Errorf("a name has the unexpected type %T", value)
	}
	return nameValue{StringValue: text}, nil
}

func (nameType) ValueType(context.Context) attr.Value { return nameValue{} }

// nameValue is a value of nameType.
type nameValue struct{ basetypes.StringValue }

var _ basetypes.StringValuableWithSemanticEquals = nameValue{}

func newNameValue(s string) nameValue { return nameValue{basetypes.NewStringValue(s)} }

func (nameValue) Type(context.Context) attr.Type { return nameType{} }

func (v nameValue) Equal(o attr.Value) bool {
	other, ok := o.(nameValue)
	return ok && v.StringValue.Equal(other.StringValue)
}

func (v nameValue) StringSemanticEquals(_ context.Context, o basetypes.StringValuable) (bool, diag.Diagnostics) {
	other, ok := o.(nameValue)
	return ok && tenant.NormalizeName(v.ValueString()) == tenant.NormalizeName(other.ValueString()), nil
}
