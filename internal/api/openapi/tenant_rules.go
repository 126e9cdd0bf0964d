package openapi

import (
	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// The rules of package tenant, as far as JSON Schema can express them. They describe stored
// values, without the white space around a name, which is trimmed.

const (
	// Control characters and invisible characters.
	invisibleChars = "\\x00-\\x1f\\x7f-\\x9f\u2028\u2029\u00ad\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069"
	printableChar  = "[^" + invisibleChars + "]"
	visibleChar    = "[^\\s" + invisibleChars + "]"
	emailAtom      = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
	domainLabel    = `[\p{L}\p{Nd}]([\p{L}\p{Nd}-]{0,61}[\p{L}\p{Nd}])?` // Marks are possible, too, but rare.

	textPattern       = "^" + visibleChar + "(" + printableChar + "*" + visibleChar + ")?$"
	optionalPattern   = "^(" + visibleChar + "(" + printableChar + "*" + visibleChar + ")?)?$"
	namePattern       = `[\p{L}\p{Nd}]`
	emailPattern      = "^" + emailAtom + `(\.` + emailAtom + ")*@" + domainLabel + `(\.` + domainLabel + ")+$"
	emailLocalPattern = "^[^@]{1,64}@"
	keyPattern        = "^" + printableChar + "+$"
	blueprintPattern  = "^([a-z][a-z0-9_-]*)?$"
	localePattern     = "^([A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$"
	variablePattern   = "^[a-z_][a-z0-9_]*$"
	valuePattern      = `^[^\x00]*$`
)

func allPatterns(patterns ...string) (schemas []*huma.Schema) {
	for _, p := range patterns {
		schemas = append(schemas, &huma.Schema{Pattern: p})
	}
	return schemas
}

// AddReasonRule adds the rule of package tenant for a reason to the schema of a request.
func AddReasonRule(s *huma.Schema) *huma.Schema {
	minLength, maxLength := 1, tenant.MaxReason
	p := s.Properties["reason"]
	p.MinLength, p.MaxLength, p.Pattern = &minLength, &maxLength, textPattern
	return s
}

// AddTenantRules adds the rules to the schema of a request about a tenant.
func AddTenantRules(s *huma.Schema) *huma.Schema {
	limit := func(field string, minLength, maxLength int, patterns ...string) {
		p := s.Properties[field]
		p.MinLength, p.MaxLength, p.AllOf = &minLength, &maxLength, allPatterns(patterns...)
		if minLength == 0 {
			p.MinLength = nil
		}
	}
	limit("name", tenant.MinNameLength, tenant.MaxNameLength, textPattern, namePattern)
	limit("adminEmail", len("a@b.c"), tenant.MaxEmailBytes, emailPattern, emailLocalPattern)
	limit("adminFirstName", 1, tenant.MaxPersonName, textPattern)
	limit("adminLastName", 1, tenant.MaxPersonName, textPattern)
	limit("adminPassword", tenant.MinPassword, tenant.MaxPassword, keyPattern)
	// Null means the empty string.
	for _, field := range []string{"externalId", "managedBy"} {
		limit(field, 0, tenant.MaxExternalID, optionalPattern)
	}
	limit("locale", 0, tenant.MaxLocale, localePattern)
	limit("blueprint", 0, tenant.MaxBlueprintName, blueprintPattern)
	maxVariables, maxVariable, maxVariableValue := tenant.MaxVariables, tenant.MaxVariableName, tenant.MaxVariableBytes
	variables := s.Properties["variables"]
	variables.MaxProperties = &maxVariables
	variables.AdditionalProperties = &huma.Schema{Type: huma.TypeString, MaxLength: &maxVariableValue, Pattern: valuePattern}
	variables.Extensions = map[string]any{"propertyNames": &huma.Schema{MaxLength: &maxVariable, Pattern: variablePattern}}
	return AddMetadataRule(s, "metadata")
}

// AddMetadataRule adds the rules for metadata to a property of a schema.
func AddMetadataRule(s *huma.Schema, property string) *huma.Schema {
	minLength, maxEntries, maxKey, maxValue := 1, tenant.MaxMetadataEntries, tenant.MaxMetadataKey, tenant.MaxMetadataValue
	metadata := s.Properties[property]
	metadata.MaxProperties = &maxEntries
	metadata.AdditionalProperties = &huma.Schema{Type: huma.TypeString, MaxLength: &maxValue, Pattern: valuePattern}
	metadata.Extensions = map[string]any{"propertyNames": &huma.Schema{MinLength: &minLength, MaxLength: &maxKey, Pattern: keyPattern}}
	return s
}
