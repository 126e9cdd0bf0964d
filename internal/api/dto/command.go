package dto

import (
	"maps"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// The types that only the command line prints.

// TenantWithLog is a tenant with its provisioning log.
type TenantWithLog struct {
	Tenant
	DatabaseNode *string    `json:"databaseNode"` // The node of Citus that has the schema, host:port; null: none, or no Citus.
	Logs         []LogEntry `json:"logs"`         // Of all attempts, in the order of attempts and steps.
}

// Key is an API key, without its secret.
type Key struct {
	ID        uuid.UUID `json:"id" format:"uuid"`
	Prefix    string    `json:"prefix" doc:"The part of the key that is not secret; logs and audit events name it."`
	Name      string    `json:"name"`
	State     string    `json:"state" enum:"active,revoked,expired"`
	Scopes    []string  `json:"scopes" nullable:"false"`
	RateLimit *int      `json:"rateLimit" doc:"Requests per minute; null: the server's."`

	OnlyMetadata map[string]string `json:"onlyMetadata" nullable:"false" doc:"Of the only tenants that it is for; empty: all."`

	CreatedAt  time.Time  `json:"createdAt"`
	ExpiresAt  *time.Time `json:"expiresAt" doc:"Null: never."`
	RevokedAt  *time.Time `json:"revokedAt"`
	LastUsedAt *time.Time `json:"lastUsedAt" doc:"Exact to a minute."`
}

// CreatedKey is a new API key. It contains the key in plain text: use it only for the one response
// to the caller that made the key.
type CreatedKey struct {
	Key

	Token string `json:"token" doc:"Only this response contains it. Send it as Authorization: Bearer hck_..."`
}

// NewKey converts a key to JSON, with its state at a time.
func NewKey(k access.Key, now time.Time) Key {
	v := Key{
		ID: k.ID, Prefix: k.Prefix, Name: k.Name, State: "active", Scopes: make([]string, len(k.Scopes)), CreatedAt: k.CreatedAt.UTC(),
		ExpiresAt: Time(k.ExpiresAt), RevokedAt: Time(k.RevokedAt), LastUsedAt: Time(k.LastUsedAt),
	}
	for i, s := range k.Scopes {
		v.Scopes[i] = string(s)
	}
	v.OnlyMetadata = map[string]string{}
	maps.Copy(v.OnlyMetadata, k.OnlyMetadata)
	if k.RateLimit != 0 {
		v.RateLimit = &k.RateLimit
	}
	switch {
	case !k.RevokedAt.IsZero():
		v.State = "revoked"
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		v.State = "expired"
	}
	return v
}

// ChannelList has the accounts of a deployer as the registry knows them.
type ChannelList struct {
	Deployer       string     `json:"deployer" doc:"The account that pays, G..."`
	BalanceStroops *int64     `json:"deployerBalanceStroops" doc:"As last read; null: not yet."`
	BalanceAt      *time.Time `json:"deployerBalanceAt"`
	Configured     int        `json:"configured" minimum:"0" doc:"The configured number of channels."`
	Channels       []Channel  `json:"channels" nullable:"false" doc:"Those that were ever made, also surplus ones."`

	OpenTransactions []OpenTransaction `json:"openTransactions" nullable:"false" doc:"Of all accounts: transactions whose outcome is not known yet, the oldest first."`
}

// Channel is a channel account.
type Channel struct {
	Index          int        `json:"index" minimum:"0"`
	Surplus        bool       `json:"surplus" doc:"Beyond the configured number: it is not used."`
	Address        string     `json:"address" doc:"G..."`
	State          string     `json:"state" enum:"free,in_use,quarantined,disabled" doc:"quarantined: until the outcome of a transaction is known."`
	DisabledReason *string    `json:"disabledReason"`
	BalanceStroops int64      `json:"balanceStroops"`
	Sequence       *string    `json:"sequence" doc:"A 64-bit number, as a string because some JSON readers would round it; null: unknown."`
	Open           int        `json:"openTransactions" minimum:"0"`
	Applied        int        `json:"transactionsApplied" minimum:"0"`
	LeasedUntil    *time.Time `json:"leasedUntil"`
	Quarantined    *time.Time `json:"quarantinedUntil"`
	CheckedAt      *time.Time `json:"checkedAt"`
}

// NewChannel converts a channel account to JSON; configured is their number.
func NewChannel(c txlog.Channel, configured int) Channel {
	v := Channel{
		Index: c.Index, Surplus: c.Index >= configured, Address: c.Address, State: string(c.State()), DisabledReason: Text(c.DisabledReason),
		BalanceStroops: c.Balance, Open: c.Open, Applied: c.Applied,
		LeasedUntil: Time(c.LeasedUntil), Quarantined: Time(c.QuarantinedUntil), CheckedAt: Time(c.CheckedAt),
	}
	if c.Sequence != 0 {
		v.Sequence = Text(strconv.FormatInt(c.Sequence, 10))
	}
	return v
}

// Verification is the result of a check of tenants.
type Verification struct {
	Tenants         int         `json:"tenants" doc:"Number of checked tenants."`
	AnchorsCompared int         `json:"anchorsCompared" doc:"Audit chains that were compared with the ledger."`
	Offline         bool        `json:"offline" doc:"The ledger was not read."`
	Findings        []Finding   `json:"findings" nullable:"false"`
	Unchecked       []Unchecked `json:"unchecked" nullable:"false" doc:"What could not be checked, and why; findings of the other checks are above."`
}

// NewFindings converts the findings of a tenant, or with uuid.Nil of the registry itself.
func NewFindings(id uuid.UUID, found []verification.Finding) []Finding {
	findings := make([]Finding, len(found))
	for i, f := range found {
		findings[i] = Finding{TenantID: ID(id), Subject: string(f.Subject), Message: f.Message, Unmanaged: f.Unmanaged}
	}
	return findings
}

// Finding is one difference that a check found.
type Finding struct {
	TenantID  *uuid.UUID `json:"tenantId" format:"uuid" nullable:"true" doc:"Null: the registry itself."`
	Subject   string     `json:"subject"`
	Message   string     `json:"message"`
	Unmanaged bool       `json:"unmanaged" doc:"It is no fault: another program or a person added what the message names."`
}

// Unchecked is a tenant that could not be checked.
type Unchecked struct {
	TenantID *uuid.UUID `json:"tenantId" format:"uuid" nullable:"true" doc:"Null: the registry itself."`
	Error    string     `json:"error"`
}

// PlatformCheck is the result of a check of the platform.
type PlatformCheck struct {
	Findings         []PlatformFinding `json:"findings" nullable:"false"`
	TenantsUnchecked bool              `json:"tenantsUnchecked" doc:"Repair the findings, and check again."`
}

// PlatformRepair is the result of a repair of the platform.
type PlatformRepair struct {
	DryRun    bool              `json:"dryRun"`
	Repaired  []PlatformFinding `json:"repaired"`  // With dryRun: those that would be.
	Remaining []PlatformFinding `json:"remaining"` // For a DBA, or a person.
	Errors    []Unchecked       `json:"errors"`

	TenantsUnchecked bool `json:"tenantsUnchecked"` // Repair what remains, and repair again.
}

// PlatformFinding is one thing that is wrong with a platform.
type PlatformFinding struct {
	Check      string     `json:"check" doc:"Such as connect_role_missing."`
	TenantID   *uuid.UUID `json:"tenantId" format:"uuid" nullable:"true" doc:"Null: the platform itself."`
	Object     string     `json:"object" doc:"Such as role \"x\"."`
	Message    string     `json:"message"`
	Statements []string   `json:"statements" nullable:"false" doc:"Repair it, in this order. Empty: repair needs none, or a person has to repair it."`
	Repairable bool       `json:"repairable" doc:"The user's privileges permit tenant-api platform repair to repair it."`
}

// ID returns nil for uuid.Nil.
func ID(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// MigrationStatus has the versions of the tables.
type MigrationStatus struct {
	Registry      Version              `json:"registry"`
	Queue         Version              `json:"queue"`
	TenantSchemas *TenantSchemaVersion `json:"tenantSchemas"` // Null while the registry is not at its newest version.
}

// Version is the version of some tables.
type Version struct {
	Version int64 `json:"version"`
	Newest  int64 `json:"newest"` // The newest version that this program knows.
}

// TenantSchemaVersion is the version of tenants' schemas.
type TenantSchemaVersion struct {
	Newest  int `json:"newest"`
	Pending int `json:"pending"` // Tenants whose schema is at an earlier version.
}

// TenantMigration is the result of a migration of tenants' schemas.
type TenantMigration struct {
	Targets  []MigrationTarget `json:"targets" nullable:"false"`
	DryRun   bool              `json:"dryRun"`
	Pending  int               `json:"pending" doc:"Tenants that were not at their target."`
	Migrated int               `json:"migrated"`
	Failed   int               `json:"failed"`
}

// MigrationTarget is what the tenants of a blueprint are brought to.
type MigrationTarget struct {
	Blueprint string `json:"blueprint"`
	Revision  *int   `json:"revision" nullable:"true" doc:"Null: the blueprint standard."`
	Version   int    `json:"version"`
	Pending   int    `json:"pending"`
}
