package api

import (
	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// The rules of package provisioning, as far as JSON Schema can say them. They
// describe values as they are stored: white space around a name, which is taken
// away, is not in them.

const (
	// Control characters, and those that nobody sees.
	hidden    = "\\x00-\\x1f\\x7f-\\x9f\u2028\u2029\u00ad\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069"
	noControl = "[^" + hidden + "]"
	noSpace   = "[^\\s" + hidden + "]"
	atom      = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
	label     = `[\p{L}\p{Nd}]([\p{L}\p{Nd}-]{0,61}[\p{L}\p{Nd}])?` // Marks are possible, too, but rare.

	textPattern     = "^" + noSpace + "(" + noControl + "*" + noSpace + ")?$"
	optionalPattern = "^(" + noSpace + "(" + noControl + "*" + noSpace + ")?)?$"
	namePattern     = `[\p{L}\p{Nd}]`
	emailPattern    = "^" + atom + `(\.` + atom + ")*@" + label + `(\.` + label + ")+$"
	localPattern    = "^[^@]{1,64}@"
	keyPattern      = "^" + noControl + "+$"
	valuePattern    = `^[^\x00]*$`
)

func matching(patterns ...string) (all []*huma.Schema) {
	for _, p := range patterns {
		all = append(all, &huma.Schema{Pattern: p})
	}
	return all
}

// tenantRules adds the rules to the schema of a request about a tenant.
func tenantRules(s *huma.Schema) *huma.Schema {
	bounds := func(field string, least, most int, patterns ...string) {
		p := s.Properties[field]
		p.MinLength, p.MaxLength, p.AllOf = &least, &most, matching(patterns...)
		if least == 0 {
			p.MinLength = nil
		}
	}
	bounds("name", provisioning.MinNameLength, provisioning.MaxNameLength, textPattern, namePattern)
	bounds("adminEmail", len("a@b.c"), provisioning.MaxEmailBytes, emailPattern, localPattern)
	bounds("adminFirstName", 1, provisioning.MaxPersonName, textPattern)
	bounds("adminLastName", 1, provisioning.MaxPersonName, textPattern)
	bounds("adminPassword", provisioning.MinPassword, provisioning.MaxPassword, keyPattern)
	// Null is as good as nothing, and no string.
	for _, field := range []string{"externalId", "managedBy"} {
		bounds(field, 0, provisioning.MaxExternalID, optionalPattern)
	}
	entries, key, value := provisioning.MaxMetadataEntries, provisioning.MaxMetadataKey, provisioning.MaxMetadataValue
	least := 1
	metadata := s.Properties["metadata"]
	metadata.MaxProperties = &entries
	metadata.AdditionalProperties = &huma.Schema{Type: huma.TypeString, MaxLength: &value, Pattern: valuePattern}
	metadata.Extensions = map[string]any{"propertyNames": &huma.Schema{MinLength: &least, MaxLength: &key, Pattern: keyPattern}}
	return s
}

// TransformSchema is how huma learns the rules.
func (*createBody) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return tenantRules(s)
}

// TransformSchema is how huma learns the rules.
func (*patchBody) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return tenantRules(s)
}
