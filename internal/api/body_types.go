package api

import (
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/openapi"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/validate"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Request bodies. The tags are for the OpenAPI document; package tenant enforces the rules.

type createBody struct {
	Name                string            `json:"name" doc:"The organisation's name, unique among tenants that are not FAILED or ARCHIVED, ignoring case and what cannot be seen; 3 to 255 characters after trimming, at least one letter or digit." example:"St. Mary's Clinic"`
	AdminEmail          string            `json:"adminEmail" doc:"The address that receives the invitation." example:"ada@st-marys.example"`
	AdminFirstName      string            `json:"adminFirstName" example:"Ada"`
	AdminLastName       string            `json:"adminLastName" example:"Lovelace"`
	AdminPassword       *string           `json:"adminPassword,omitempty" nullable:"true" writeOnly:"true" format:"password" doc:"The administrator's password; 12 to 256 characters, must not contain the administrator's address. Only an argon2id hash is stored. Without a password, the administrator sets one through the invitation in the welcome mail. A repeated request (same Idempotency-Key or external id) does not compare it."`
	ExternalID          string            `json:"externalId,omitempty" nullable:"true" doc:"The caller's own key, unique over all tenants: a second request with the same external id and the same inputs returns the first tenant." example:"crm-4711"`
	Metadata            map[string]string `json:"metadata,omitempty" nullable:"true" doc:"At most 64 entries; keys of up to 63 and values of up to 1024 characters."`
	ManagedBy           string            `json:"managedBy,omitempty" nullable:"true" doc:"Who manages the tenant." example:"terraform/production"`
	AllowConfusableName bool              `json:"allowConfusableName,omitempty" nullable:"true" doc:"Let the name look like that of another tenant, through letters of another script, and that of another one like it. Otherwise such a name is refused. Default: false."`
	Locale              string            `json:"locale,omitempty" nullable:"true" doc:"Language of the mails to the administrator, a BCP 47 tag. Default: the blueprint's." example:"de-AT"`
	Blueprint           string            `json:"blueprint,omitempty" nullable:"true" doc:"The blueprint that the tenant is made from; it never changes. Default: the server's DEFAULT_BLUEPRINT, which is standard unless set." example:"clinic"`
	Variables           map[string]string `json:"variables,omitempty" nullable:"true" doc:"The blueprint's variables for this tenant. Those that are left out have the blueprint's defaults."`
	Protection          *bool             `json:"deletionProtection,omitempty" doc:"Neither archive the tenant, once it is live, nor purge it. Default false."`
	Unarchive           *bool             `json:"unarchiveExisting,omitempty" doc:"Bring back the archived tenant with this externalId, with its data and with the inputs of this request. Only in POST /admin/tenants/provision."`
	validate.Errors     `json:"-"`
}

// FieldReaders implements the interface of package validate.
func (b *createBody) FieldReaders() map[string]validate.FieldReader {
	return map[string]validate.FieldReader{
		"name":                validate.String(&b.Name),
		"adminEmail":          validate.String(&b.AdminEmail),
		"adminFirstName":      validate.String(&b.AdminFirstName),
		"adminLastName":       validate.String(&b.AdminLastName),
		"adminPassword":       validate.Nullable(func() {}, validate.OptionalString(&b.AdminPassword)),
		"externalId":          validate.Nullable(func() {}, validate.String(&b.ExternalID)),
		"metadata":            validate.Nullable(func() {}, validate.StringMap(&b.Metadata)),
		"managedBy":           validate.Nullable(func() {}, validate.String(&b.ManagedBy)),
		"locale":              validate.Nullable(func() {}, validate.String(&b.Locale)),
		"allowConfusableName": validate.Nullable(func() {}, validate.Bool(&b.AllowConfusableName)),
		"blueprint":           validate.Nullable(func() {}, validate.String(&b.Blueprint)),
		"variables":           validate.Nullable(func() {}, validate.StringMap(&b.Variables)),
		"deletionProtection":  validate.OptionalBool(&b.Protection),
		"unarchiveExisting":   validate.OptionalBool(&b.Unarchive),
	}
}

// inputs converts the body.
func (b *createBody) inputs() (tenant.Inputs, error) {
	in, err := tenant.Inputs{
		Name: b.Name, AdminEmail: b.AdminEmail, AdminFirstName: b.AdminFirstName, AdminLastName: b.AdminLastName,
		ExternalID: b.ExternalID, Metadata: b.Metadata, ManagedBy: b.ManagedBy, AdminPassword: passwordFrom(b.AdminPassword),
		Locale: b.Locale, Blueprint: b.Blueprint, Variables: b.Variables, AllowConfusableName: b.AllowConfusableName,
		DeletionProtection: b.Protection, UnarchiveExisting: b.Unarchive != nil && *b.Unarchive,
	}.Normalize()
	in.Blueprint = b.Blueprint // Normalize does not know the service's default.
	fieldErrs := b.Errors
	if err != nil {
		fieldErrs = b.Merge(problem.From(err).Errors)
	}
	if b.AdminPassword != nil { // Inputs treat an empty password as no password.
		fieldErrs = fieldErrs.Check("adminPassword", tenant.CheckPassword(*b.AdminPassword, b.AdminEmail))
	}
	return in, fieldErrs.Problem()
}

// passwordFrom converts an optional password.
func passwordFrom(password *string) tenant.Password {
	if password == nil {
		return ""
	}
	return tenant.Password(*password)
}

type patchBody struct {
	Name                *string            `json:"name,omitempty" example:"St. Mary's Hospital"`
	AdminEmail          *string            `json:"adminEmail,omitempty" example:"grace@st-marys.example"`
	AdminFirstName      *string            `json:"adminFirstName,omitempty" example:"Grace"`
	AdminLastName       *string            `json:"adminLastName,omitempty" example:"Hopper"`
	AdminPassword       *string            `json:"adminPassword,omitempty" writeOnly:"true" format:"password" doc:"Replaces the administrator's password and invalidates open invitations; 12 to 256 characters, must not contain the administrator's address."`
	ExternalID          *string            `json:"externalId,omitempty" nullable:"true" doc:"Null or an empty string removes it."`
	Metadata            *map[string]string `json:"metadata,omitempty" nullable:"true" doc:"Replaces the whole map; null empties it."`
	ManagedBy           *string            `json:"managedBy,omitempty" nullable:"true" doc:"Null or an empty string removes it."`
	AllowConfusableName *bool              `json:"allowConfusableName,omitempty" nullable:"true" doc:"Null is false."`
	Locale              *string            `json:"locale,omitempty" nullable:"true" doc:"Null or an empty string removes it: the blueprint's is used."`
	Blueprint           *string            `json:"blueprint,omitempty" doc:"Can only be the tenant's: it never changes."`
	Variables           *map[string]string `json:"variables,omitempty" nullable:"true" doc:"Replaces the whole map; null empties it. Migrations that run from then on read the new values."`
	Protection          *bool              `json:"deletionProtection,omitempty" doc:"Neither archive the tenant, while it is live, nor purge it."`
	validate.Errors     `json:"-"`
}

// FieldReaders implements the interface of package validate.
func (b *patchBody) FieldReaders() map[string]validate.FieldReader {
	var metadata, variables map[string]string
	return map[string]validate.FieldReader{
		"name":           validate.OptionalString(&b.Name),
		"adminEmail":     validate.OptionalString(&b.AdminEmail),
		"adminFirstName": validate.OptionalString(&b.AdminFirstName),
		"adminLastName":  validate.OptionalString(&b.AdminLastName),
		"adminPassword":  validate.OptionalString(&b.AdminPassword),
		"externalId":     validate.Nullable(func() { b.ExternalID = new(string) }, validate.OptionalString(&b.ExternalID)),
		"metadata": validate.Nullable(func() { b.Metadata = new(map[string]string) }, func(field string, raw json.RawMessage) []problem.FieldError {
			b.Metadata = &metadata
			return validate.StringMap(&metadata)(field, raw)
		}),
		"managedBy":           validate.Nullable(func() { b.ManagedBy = new(string) }, validate.OptionalString(&b.ManagedBy)),
		"locale":              validate.Nullable(func() { b.Locale = new(string) }, validate.OptionalString(&b.Locale)),
		"allowConfusableName": validate.Nullable(func() { b.AllowConfusableName = new(bool) }, validate.OptionalBool(&b.AllowConfusableName)),
		"blueprint":           validate.OptionalString(&b.Blueprint),
		"variables": validate.Nullable(func() { b.Variables = new(map[string]string) }, func(field string, raw json.RawMessage) []problem.FieldError {
			b.Variables = &variables
			return validate.StringMap(&variables)(field, raw)
		}),
		"deletionProtection": validate.OptionalBool(&b.Protection),
	}
}

// patch converts the body. It already checks the rules, so that one response reports all
// errors.
func (b *patchBody) patch() (provisioning.Patch, error) {
	fieldErrs := b.Errors
	validate := func(field string, value *string, rule func(string) error, optional bool) {
		if value != nil && (!optional || *value != "") {
			fieldErrs = fieldErrs.Check(field, rule(*value))
		}
	}
	validate("name", b.Name, tenant.CheckName, false)
	validate("adminEmail", b.AdminEmail, func(s string) error { return tenant.CheckEmail(strings.TrimSpace(s)) }, false)
	validate("adminFirstName", b.AdminFirstName, tenant.CheckPersonName, false)
	validate("adminLastName", b.AdminLastName, tenant.CheckPersonName, false)
	// If the address does not change, Normalize checks the stored one.
	validate("adminPassword", b.AdminPassword, func(s string) error { return tenant.CheckPassword(s, "") }, false)
	validate("externalId", b.ExternalID, tenant.CheckExternalID, true)
	validate("managedBy", b.ManagedBy, tenant.CheckManagedBy, true)
	validate("locale", b.Locale, tenant.CheckLocale, true)
	validate("blueprint", b.Blueprint, tenant.CheckBlueprint, false)
	if b.Variables != nil {
		fieldErrs = fieldErrs.Check("variables", tenant.CheckVariables(*b.Variables))
	}
	if b.Metadata != nil {
		fieldErrs = fieldErrs.Check("metadata", tenant.CheckMetadata(*b.Metadata))
	}
	return provisioning.Patch{
		Name: b.Name, AdminEmail: b.AdminEmail, AdminFirstName: b.AdminFirstName, AdminLastName: b.AdminLastName,
		ExternalID: b.ExternalID, Metadata: b.Metadata, ManagedBy: b.ManagedBy, AdminPassword: passwordFrom(b.AdminPassword),
		Locale: b.Locale, Blueprint: b.Blueprint, Variables: b.Variables, AllowConfusableName: b.AllowConfusableName,
		DeletionProtection: b.Protection,
	}, fieldErrs.Problem()
}

type purgeBody struct {
	Confirm         string `json:"confirm" minLength:"1" doc:"The tenant's name, to prevent the purge of a wrong tenant." example:"St. Mary's Clinic"`
	RetentionMs     int64  `json:"retentionMs,omitempty" minimum:"0" maximum:"9007199254740991" doc:"Purge only if the tenant has been archived for that long. The server's retention period applies as well."`
	SkipRetention   *bool  `json:"skipRetention,omitempty" doc:"Purge although the retention period is not over. Only where the server's operator permits it (ALLOW_EARLY_PURGE)."`
	validate.Errors `json:"-"`
}

type skipUndoBody struct {
	Steps           []string `json:"steps" minItems:"1" maxItems:"16" nullable:"false" doc:"Names of own steps of which something is left over." example:"[\"REGISTER_IN_DIRECTORY\"]"`
	Reason          string   `json:"reason" doc:"Why the undo is skipped; kept in the audit log." example:"Deleted by hand"`
	validate.Errors `json:"-"`
}

// FieldReaders implements the interface of package validate.
func (b *skipUndoBody) FieldReaders() map[string]validate.FieldReader {
	return map[string]validate.FieldReader{"steps": validate.Strings(&b.Steps, 1, blueprint.MaxSteps), "reason": validate.String(&b.Reason)}
}

// TransformSchema adds the rules to huma's schema.
func (*skipUndoBody) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return openapi.AddReasonRule(s)
}

// retention returns the requested minimum time since archiving, capped at the longest
// time.Duration.
func (b *purgeBody) retention() time.Duration {
	return time.Duration(min(b.RetentionMs, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}

// FieldReaders implements the interface of package validate.
func (b *purgeBody) FieldReaders() map[string]validate.FieldReader {
	return map[string]validate.FieldReader{"confirm": validate.String(&b.Confirm), "retentionMs": validate.Int(&b.RetentionMs, 0, validate.MaxInt, "has to be a whole number of milliseconds; give 0 or more"), "skipRetention": validate.OptionalBool(&b.SkipRetention)}
}

// TransformSchema adds the rules to huma's schema.
func (*createBody) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return openapi.AddTenantRules(s)
}

// TransformSchema adds the rules to huma's schema.
func (*patchBody) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return openapi.AddTenantRules(s)
}
