// Package tenant has the plain values of the product: tenants, their statuses and steps,
// the inputs of callers and the rules for them. It does no input or output and imports
// nothing of this module but confusables, errs and invitation.
package tenant

import (
	"cmp"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
)

// Tenant is one healthcare organisation as the registry stores it. A zero time means that
// the event has not happened, an empty string that the field is not set.
type Tenant struct {
	ID             uuid.UUID
	Name           string
	AdminEmail     string
	AdminFirstName string
	AdminLastName  string
	ExternalID     string
	Metadata       map[string]string
	ManagedBy      string // The manager, as in the provider's managed_by.
	Locale         string // A BCP 47 tag, of the mails to its administrator. Empty: the blueprint's.
	// AllowConfusableName permits that its name looks like that of another tenant, through letters of
	// another script.
	AllowConfusableName bool

	Blueprint         string            // What it is made from; never changes.
	BlueprintRevision int               // That its schema was last brought to; 0: standard, or no schema yet.
	Variables         map[string]string // The blueprint's variables for this tenant.
	SchemaVersion     int               // Number of the blueprint's last migration in the schema; 0: no schema yet.

	// Outputs are what its own steps answered. They can be secrets.
	Outputs Outputs

	// WithoutContract and WithoutUsers say what its blueprint does without: DEPLOY_SOROBAN_CONTRACT
	// and STORE_CONTRACT_ADDRESS are SKIPPED, or SEED_ROLES_AND_USER is and nobody is invited.
	WithoutContract, WithoutUsers bool
	// Adopted says that its schema was there before the tenant. No rollback drops it.
	Adopted bool

	Status       Status
	SchemaName   string // Chosen once, at creation.
	DatabaseRole string // The role with access to this schema only.
	ContractID   string // C... strkey, once deployed and verified.

	ProvisioningError string // Why the last attempt failed, for people.
	WelcomeEmail      WelcomeEmailStatus
	Invitation        Invitation // The newest of its administrator.
	Attempt           int        // Number of the attempt; each log row has it.
	Version           int64      // Increases with each change; the ETag.

	CreatedAt   time.Time
	UpdatedAt   time.Time
	ActivatedAt time.Time // When it first went live; never reset.
	SuspendedAt time.Time // Since when it is SUSPENDED; an ARCHIVED one was SUSPENDED before, and is so again when it is unarchived.
	ArchivedAt  time.Time
	PurgedAt    time.Time // When its schema and role were dropped.

	// DeletionProtection says that the tenant is neither archived, while it is live, nor purged.
	DeletionProtection bool
	Hold               Hold

	// Queued is true while the queue has a job for this tenant.
	Queued bool
}

// Hold is a legal hold: nothing deletes the data of the tenant. The zero value is none.
type Hold struct {
	Reason string
	By     string // Who set it.
	Since  time.Time
}

// Active reports whether there is a hold.
func (h Hold) Active() bool { return !h.Since.IsZero() }

// Invitation is what is known of an invitation. Times are zero for what has not happened.
type Invitation struct {
	Status     invitation.Status
	SentAt     time.Time // When the mail server took its mail.
	ExpiresAt  time.Time
	AcceptedAt time.Time
}

// WasLive reports whether the tenant ever reached ACTIVE. Such a tenant is never
// adopted by a Create and never loses its schema to a rollback.
func (t Tenant) WasLive() bool { return !t.ActivatedAt.IsZero() }

// IsStandard reports whether it is made from the blueprint standard, which has no own steps.
func (t Tenant) IsStandard() bool { return cmp.Or(t.Blueprint, StandardBlueprint) == StandardBlueprint }

// Inputs returns the inputs that describe the tenant: without the password and its protection.
func (t Tenant) Inputs() Inputs {
	return Inputs{
		Name: t.Name, AdminEmail: t.AdminEmail, AdminFirstName: t.AdminFirstName,
		AdminLastName: t.AdminLastName, ExternalID: t.ExternalID, Metadata: t.Metadata, ManagedBy: t.ManagedBy, Locale: t.Locale,
		Blueprint: t.Blueprint, Variables: t.Variables, AllowConfusableName: t.AllowConfusableName,
	}
}

// Suspended reports whether the tenant's role and the platform's roles may not use its schema:
// while it is SUSPENDED, and when it was archived while it was.
func (t Tenant) Suspended() bool { return !t.SuspendedAt.IsZero() }

// Inputs are the fields of a tenant that a caller sets.
type Inputs struct {
	Name           string
	AdminEmail     string
	AdminFirstName string
	AdminLastName  string
	ExternalID     string // Optional: the caller's own key, unique over all tenants.
	Metadata       map[string]string
	ManagedBy      string // Optional: see Tenant.ManagedBy.
	Locale         string // Optional: see Tenant.Locale.
	// AllowConfusableName is optional too: see Tenant.AllowConfusableName.
	AllowConfusableName bool
	// Blueprint is what the tenant is made from. It never changes. Empty: StandardBlueprint.
	Blueprint string
	// Variables are the blueprint's, as they were given: without its defaults.
	Variables map[string]string
	// DeletionProtection is Tenant.DeletionProtection. Nil: false for a new tenant; an update keeps it.
	DeletionProtection *bool `json:",omitempty"`
	// UnarchiveExisting lets a creation bring back the ARCHIVED tenant with ExternalID, with its data.
	UnarchiveExisting bool `json:",omitempty"`

	// AdminPassword is optional too. If empty, the admin of a new tenant chooses one
	// through the invitation, and an update keeps the password. No encoding of the inputs
	// contains it, so their hash cannot be used to guess it.
	AdminPassword Password `json:"-"`
}

// Equal reports whether two inputs describe the same tenant. Passwords are not compared,
// because only a hash is stored, and neither is what does not describe the tenant.
func (in Inputs) Equal(other Inputs) bool {
	return in.Name == other.Name && in.AdminEmail == other.AdminEmail &&
		in.AdminFirstName == other.AdminFirstName && in.AdminLastName == other.AdminLastName &&
		in.ExternalID == other.ExternalID && in.ManagedBy == other.ManagedBy && in.Locale == other.Locale && in.AllowConfusableName == other.AllowConfusableName &&
		maps.Equal(in.Metadata, other.Metadata) && cmp.Or(in.Blueprint, StandardBlueprint) == cmp.Or(other.Blueprint, StandardBlueprint) && maps.Equal(in.Variables, other.Variables)
}

// StandardBlueprint is the name of the blueprint that is part of the program.
const StandardBlueprint = "standard"

// Draft is a tenant before it is recorded: valid inputs and the names that are chosen
// once.
type Draft struct {
	Inputs
	ID         uuid.UUID
	SchemaName string
	// See Tenant.
	WithoutContract, WithoutUsers bool

	opaque bool // The schema name is random.
}

// NewDraft validates the inputs and chooses id and schema name. It returns
// KindInvalid with one entry for each broken rule.
func NewDraft(in Inputs, now time.Time) (Draft, error) {
	in, err := in.Normalize()
	if err != nil {
		return Draft{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Draft{}, errs.Wrap(err, errs.KindPermanent, "choose tenant id", "the system returned no random numbers")
	}
	return Draft{Inputs: in, ID: id, SchemaName: SchemaName(in.Name, now)}, nil
}

// HideName replaces the schema name by an OpaqueSchemaName.
func (d *Draft) HideName() { d.SchemaName, d.opaque = OpaqueSchemaName(), true }

// RegenerateSchemaName sets another schema name, after a conflict.
func (d *Draft) RegenerateSchemaName(at time.Time) {
	if d.opaque {
		d.HideName()
		return
	}
	d.SchemaName = SchemaName(d.Name, at)
}
