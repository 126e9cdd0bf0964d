package main

import (
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// The types below have the fields of the CLI's JSON, which is documented and
// stable within one format version. A type of values has its own JSON in tftypes.

type schemas struct {
	Provider      *schema                    `json:"provider,omitempty"`
	Resources     map[string]*schema         `json:"resource_schemas,omitempty"`
	DataSources   map[string]*schema         `json:"data_source_schemas,omitempty"`
	Ephemeral     map[string]*schema         `json:"ephemeral_resource_schemas,omitempty"`
	ListResources map[string]*schema         `json:"list_resource_schemas,omitempty"`
	Functions     map[string]*function       `json:"functions,omitempty"`
	Identities    map[string]*identitySchema `json:"resource_identity_schemas,omitempty"`
	Actions       map[string]*actionSchema   `json:"action_schemas,omitempty"`
}

type schema struct {
	Version int64  `json:"version"`
	Block   *block `json:"block,omitempty"`
}

type actionSchema struct {
	Block *block `json:"block,omitempty"`
}

type block struct {
	Attributes         map[string]*attribute   `json:"attributes,omitempty"`
	Blocks             map[string]*nestedBlock `json:"block_types,omitempty"`
	Description        string                  `json:"description,omitempty"`
	DescriptionKind    string                  `json:"description_kind,omitempty"`
	Deprecated         bool                    `json:"deprecated,omitempty"`
	DeprecationMessage string                  `json:"deprecation_message,omitempty"`
}

type nestedBlock struct {
	Nesting  string `json:"nesting_mode,omitempty"`
	Block    *block `json:"block,omitempty"`
	MinItems int64  `json:"min_items,omitempty"`
	MaxItems int64  `json:"max_items,omitempty"`
}

type attribute struct {
	Type               tftypes.Type `json:"type,omitempty"`
	Nested             *nested      `json:"nested_type,omitempty"`
	Description        string       `json:"description,omitempty"`
	DescriptionKind    string       `json:"description_kind,omitempty"`
	Deprecated         bool         `json:"deprecated,omitempty"`
	DeprecationMessage string       `json:"deprecation_message,omitempty"`
	Required           bool         `json:"required,omitempty"`
	Optional           bool         `json:"optional,omitempty"`
	Computed           bool         `json:"computed,omitempty"`
	Sensitive          bool         `json:"sensitive,omitempty"`
	WriteOnly          bool         `json:"write_only,omitempty"`
}

type nested struct {
	Attributes map[string]*attribute `json:"attributes,omitempty"`
	Nesting    string                `json:"nesting_mode,omitempty"`
}

type identitySchema struct {
	Version    int64                         `json:"version"`
	Attributes map[string]*identityAttribute `json:"attributes,omitempty"`
}

type identityAttribute struct {
	Type        tftypes.Type `json:"type,omitempty"`
	Description string       `json:"description,omitempty"`
	Required    bool         `json:"required_for_import,omitempty"`
	Optional    bool         `json:"optional_for_import,omitempty"`
}

type function struct {
	Description        string       `json:"description,omitempty"`
	Summary            string       `json:"summary,omitempty"`
	DeprecationMessage string       `json:"deprecation_message,omitempty"`
	ReturnType         tftypes.Type `json:"return_type"`
	Parameters         []*parameter `json:"parameters,omitempty"`
	Variadic           *parameter   `json:"variadic_parameter,omitempty"`
}

type parameter struct {
	Name        string       `json:"name,omitempty"`
	Description string       `json:"description,omitempty"`
	Nullable    bool         `json:"is_nullable,omitempty"`
	Type        tftypes.Type `json:"type"`
}

func schemasFrom(schema *tfprotov6.GetProviderSchemaResponse, identities *tfprotov6.GetResourceIdentitySchemasResponse) *schemas {
	return &schemas{
		Provider:      schemaFrom(schema.Provider),
		Resources:     convertAll(schema.ResourceSchemas, schemaFrom),
		DataSources:   convertAll(schema.DataSourceSchemas, schemaFrom),
		Ephemeral:     convertAll(schema.EphemeralResourceSchemas, schemaFrom),
		ListResources: convertAll(schema.ListResourceSchemas, schemaFrom),
		Functions:     convertAll(schema.Functions, functionFrom),
		Identities:    convertAll(identities.IdentitySchemas, identityFrom),
		Actions:       convertAll(schema.ActionSchemas, func(a *tfprotov6.ActionSchema) *actionSchema { return &actionSchema{blockFrom(a.Schema.Block)} }),
	}
}

func convertAll[From, To any](from map[string]From, convert func(From) To) map[string]To {
	to := make(map[string]To, len(from))
	for name, f := range from {
		to[name] = convert(f)
	}
	return to
}

func schemaFrom(s *tfprotov6.Schema) *schema { return &schema{s.Version, blockFrom(s.Block)} }

func blockFrom(b *tfprotov6.SchemaBlock) *block {
	to := &block{
		Attributes: attributesFrom(b.Attributes), Blocks: map[string]*nestedBlock{},
		Description: b.Description, DescriptionKind: kind(b.DescriptionKind),
		Deprecated: b.Deprecated, DeprecationMessage: b.DeprecationMessage,
	}
	for _, n := range b.BlockTypes {
		to.Blocks[n.TypeName] = &nestedBlock{strings.ToLower(n.Nesting.String()), blockFrom(n.Block), n.MinItems, n.MaxItems}
	}
	return to
}

func attributesFrom(attributes []*tfprotov6.SchemaAttribute) map[string]*attribute {
	to := map[string]*attribute{}
	for _, a := range attributes {
		to[a.Name] = &attribute{
			Type:        a.Type,
			Description: a.Description, DescriptionKind: kind(a.DescriptionKind),
			Deprecated: a.Deprecated, DeprecationMessage: a.DeprecationMessage,
			Required: a.Required, Optional: a.Optional, Computed: a.Computed, Sensitive: a.Sensitive, WriteOnly: a.WriteOnly,
		}
		if a.NestedType != nil {
			to[a.Name].Nested = &nested{attributesFrom(a.NestedType.Attributes), strings.ToLower(a.NestedType.Nesting.String())}
		}
	}
	return to
}

func kind(k tfprotov6.StringKind) string { return strings.ToLower(k.String()) }

func identityFrom(s *tfprotov6.ResourceIdentitySchema) *identitySchema {
	to := &identitySchema{s.Version, map[string]*identityAttribute{}}
	for _, a := range s.IdentityAttributes {
		to.Attributes[a.Name] = &identityAttribute{a.Type, a.Description, a.RequiredForImport, a.OptionalForImport}
	}
	return to
}

func functionFrom(f *tfprotov6.Function) *function {
	to := &function{
		Description: f.Description, Summary: f.Summary, DeprecationMessage: f.DeprecationMessage,
		ReturnType: f.Return.Type, Variadic: parameterFrom(f.VariadicParameter),
	}
	for _, p := range f.Parameters {
		to.Parameters = append(to.Parameters, parameterFrom(p))
	}
	return to
}

func parameterFrom(p *tfprotov6.FunctionParameter) *parameter {
	if p == nil {
		return nil
	}
	return &parameter{p.Name, p.Description, p.AllowNullValue, p.Type}
}
