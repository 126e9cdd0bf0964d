package api

import (
	"encoding/json"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// What callers send. The tags are for the OpenAPI document; the rules themselves
// are package provisioning's.

type createBody struct {
	Name           string            `json:"name" doc:"The organisation's name, unique among live tenants whatever its case; 3 to 255 characters after trimming, at least one letter or digit." example:"St. Mary's Clinic"`
	AdminEmail     string            `json:"adminEmail" doc:"Where the invitation goes." example:"ada@st-marys.example"`
	AdminFirstName string            `json:"adminFirstName" example:"Ada"`
	AdminLastName  string            `json:"adminLastName" example:"Lovelace"`
	AdminPassword  *string           `json:"adminPassword,omitempty" nullable:"true" writeOnly:"true" format:"password" doc:"The administrator's password, of which an argon2id hash is stored; 12 to 256 characters, and not with the administrator's address in it. Without one, the invitation in the welcome mail lets the administrator choose. It is not compared when an Idempotency-Key or an external id tells that this request came before."`
	ExternalID     string            `json:"externalId,omitempty" nullable:"true" doc:"The caller's own key, unique over all tenants: creating twice with the same one and the same wish returns the first." example:"crm-4711"`
	Metadata       map[string]string `json:"metadata,omitempty" nullable:"true" doc:"At most 64 entries; keys of up to 63 and values of up to 1024 characters."`
	ManagedBy      string            `json:"managedBy,omitempty" nullable:"true" doc:"Who manages the tenant." example:"terraform/production"`
	faults
}

func (b *createBody) readers() map[string]reader {
	return map[string]reader{
		"name":           asText(&b.Name),
		"adminEmail":     asText(&b.AdminEmail),
		"adminFirstName": asText(&b.AdminFirstName),
		"adminLastName":  asText(&b.AdminLastName),
		"adminPassword":  orNull(func() {}, asGivenText(&b.AdminPassword)),
		"externalId":     orNull(func() {}, asText(&b.ExternalID)),
		"metadata":       orNull(func() {}, asPairs(&b.Metadata)),
		"managedBy":      orNull(func() {}, asText(&b.ManagedBy)),
	}
}

// inputs is what the body asks for.
func (b *createBody) inputs() (provisioning.Inputs, error) {
	in, err := provisioning.Inputs{
		Name: b.Name, AdminEmail: b.AdminEmail, AdminFirstName: b.AdminFirstName, AdminLastName: b.AdminLastName,
		ExternalID: b.ExternalID, Metadata: b.Metadata, ManagedBy: b.ManagedBy, AdminPassword: given(b.AdminPassword),
	}.Normalize()
	wrong := b.and(problemFaults(err))
	if b.AdminPassword != nil { // To the inputs an empty one is none.
		wrong = wrong.and(check("adminPassword", provisioning.CheckPassword(*b.AdminPassword, b.AdminEmail)))
	}
	return in, wrong.problem()
}

// given is a password that may not have been sent.
func given(password *string) provisioning.Password {
	if password == nil {
		return ""
	}
	return provisioning.Password(*password)
}

type patchBody struct {
	Name           *string            `json:"name,omitempty" example:"St. Mary's Hospital"`
	AdminEmail     *string            `json:"adminEmail,omitempty" example:"grace@st-marys.example"`
	AdminFirstName *string            `json:"adminFirstName,omitempty" example:"Grace"`
	AdminLastName  *string            `json:"adminLastName,omitempty" example:"Hopper"`
	AdminPassword  *string            `json:"adminPassword,omitempty" writeOnly:"true" format:"password" doc:"Takes the place of the administrator's password and ends invitations that nobody has accepted; 12 to 256 characters, and not with the administrator's address in it."`
	ExternalID     *string            `json:"externalId,omitempty" nullable:"true" doc:"Null or an empty string takes it away."`
	Metadata       *map[string]string `json:"metadata,omitempty" nullable:"true" doc:"Takes the place of the whole map; null empties it."`
	ManagedBy      *string            `json:"managedBy,omitempty" nullable:"true" doc:"Null or an empty string takes it away."`
	faults
}

func (b *patchBody) readers() map[string]reader {
	var metadata map[string]string
	return map[string]reader{
		"name":           asGivenText(&b.Name),
		"adminEmail":     asGivenText(&b.AdminEmail),
		"adminFirstName": asGivenText(&b.AdminFirstName),
		"adminLastName":  asGivenText(&b.AdminLastName),
		"adminPassword":  asGivenText(&b.AdminPassword),
		"externalId":     orNull(func() { b.ExternalID = new(string) }, asGivenText(&b.ExternalID)),
		"metadata": orNull(func() { b.Metadata = new(map[string]string) }, func(field string, raw json.RawMessage) []Fault {
			b.Metadata = &metadata
			return asPairs(&metadata)(field, raw)
		}),
		"managedBy": orNull(func() { b.ManagedBy = new(string) }, asGivenText(&b.ManagedBy)),
	}
}

// patch is the change that the body asks for. The rules are looked at here
// already, so that all that is wrong is told at once.
func (b *patchBody) patch() (provisioning.Patch, error) {
	wrong := b.faults
	look := func(field string, given *string, rule func(string) error, optional bool) {
		if given != nil && (!optional || *given != "") {
			wrong = wrong.and(check(field, rule(*given)))
		}
	}
	look("name", b.Name, provisioning.CheckName, false)
	look("adminEmail", b.AdminEmail, func(s string) error { return provisioning.CheckEmail(strings.TrimSpace(s)) }, false)
	look("adminFirstName", b.AdminFirstName, provisioning.CheckPersonName, false)
	look("adminLastName", b.AdminLastName, provisioning.CheckPersonName, false)
	// Against the address that is stored, if it stays, Normalize holds it.
	look("adminPassword", b.AdminPassword, func(s string) error { return provisioning.CheckPassword(s, "") }, false)
	look("externalId", b.ExternalID, provisioning.CheckExternalID, true)
	look("managedBy", b.ManagedBy, provisioning.CheckManagedBy, true)
	if b.Metadata != nil {
		wrong = wrong.and(check("metadata", provisioning.CheckMetadata(*b.Metadata)))
	}
	return provisioning.Patch{
		Name: b.Name, AdminEmail: b.AdminEmail, AdminFirstName: b.AdminFirstName, AdminLastName: b.AdminLastName,
		ExternalID: b.ExternalID, Metadata: b.Metadata, ManagedBy: b.ManagedBy, AdminPassword: given(b.AdminPassword),
	}, wrong.problem()
}

type purgeBody struct {
	Confirm string `json:"confirm" minLength:"1" doc:"The tenant's name, to show that this tenant is meant." example:"St. Mary's Clinic"`
	faults
}

func (b *purgeBody) readers() map[string]reader {
	return map[string]reader{"confirm": asText(&b.Confirm)}
}

func check(field string, err error) []Fault {
	if err == nil {
		return nil
	}
	return []Fault{{field, err.Error()}}
}

func problemFaults(err error) []Fault {
	if err == nil {
		return nil
	}
	return problemOf(err).Errors
}
