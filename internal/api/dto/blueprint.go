package dto

import (
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
)

// Blueprint is what tenants are made from.
type Blueprint struct {
	Name           string              `json:"name"`
	ActiveRevision *int                `json:"activeRevision" doc:"The revision that new tenants get. Null: none yet."`
	SchemaVersion  *int                `json:"schemaVersion" doc:"Of the active revision."`
	RetiredAt      *time.Time          `json:"retiredAt" doc:"Since then it makes no new tenants. Null: it is in use."`
	Tenants        int                 `json:"tenants" minimum:"0" doc:"Tenants that have a schema."`
	TenantsBehind  int                 `json:"tenantsBehind" minimum:"0" doc:"Of these, tenants that are not at the active revision."`
	Fixed          int                 `json:"fixed" minimum:"0" doc:"Migrations up to this one are in a tenant, or new tenants get them: they never change. A later one can be replaced."`
	Revisions      []BlueprintRevision `json:"revisions,omitempty" doc:"The newest first. Lists have none."`
	Variables      []BlueprintVariable `json:"variables,omitempty" doc:"What a tenant of the active revision can be given, by name. Lists have none."`
}

// BlueprintVariable is a value that each tenant of a blueprint can be given.
type BlueprintVariable struct {
	Name        string  `json:"name"`
	Default     *string `json:"default" doc:"Null: each tenant must give a value."`
	Pattern     *string `json:"pattern" doc:"A regular expression (RE2) that matches the whole value. Null: any."`
	Description *string `json:"description"`
}

// BlueprintRevision is a blueprint as it was published.
type BlueprintRevision struct {
	Blueprint     string            `json:"blueprint"`
	Revision      *int              `json:"revision" doc:"Null: it was tried and not published."`
	SHA256        string            `json:"sha256" doc:"Of its files, hex."`
	SchemaVersion int               `json:"schemaVersion" minimum:"0" doc:"The number of its last migration."`
	Active        bool              `json:"active" doc:"New tenants get it."`
	PublishedBy   *string           `json:"publishedBy"`
	PublishedAt   *time.Time        `json:"publishedAt"`
	Migrations    []MigrationReport `json:"migrations" nullable:"false"`
}

// MigrationReport is what a trial found out about a migration.
type MigrationReport struct {
	Version     int      `json:"version"`
	File        string   `json:"file"`
	Checksum    string   `json:"checksum" doc:"SHA-256, hex."`
	Class       string   `json:"class" enum:"online,locks,scans,rewrites" doc:"What it does to a tenant that is in use."`
	Locks       []string `json:"locks" nullable:"false" doc:"On older tables."`
	Rewrites    []string `json:"rewrites" nullable:"false" doc:"Older tables that are rewritten."`
	Scans       []string `json:"scans" nullable:"false" doc:"Older tables that are read from end to end."`
	DeletesData []string `json:"deletesData" nullable:"false" doc:"What it deletes."`
	Sampled     bool     `json:"sampled" doc:"The trial had sample rows. Without, less is found."`
}

// NewBlueprint converts a blueprint to JSON.
func NewBlueprint(b blueprint.Status) Blueprint {
	v := Blueprint{Name: b.Name, ActiveRevision: number(b.ActiveRevision), RetiredAt: Time(b.RetiredAt), Tenants: b.Tenants, TenantsBehind: b.TenantsBehind, Fixed: b.Fixed}
	if b.ActiveRevision != 0 {
		v.SchemaVersion = &b.SchemaVersion
	}
	for _, r := range b.Revisions {
		v.Revisions = append(v.Revisions, NewBlueprintRevision(r))
	}
	for _, one := range b.Variables {
		v.Variables = append(v.Variables, BlueprintVariable{one.Name, one.Default, Text(one.Pattern), Text(one.Description)})
	}
	return v
}

// NewBlueprintRevision converts a revision to JSON.
func NewBlueprintRevision(r blueprint.Revision) BlueprintRevision {
	v := BlueprintRevision{
		Blueprint: r.Blueprint, Revision: number(r.Number), SHA256: r.SHA256, SchemaVersion: r.SchemaVersion, Active: r.Active,
		PublishedAt: Time(r.PublishedAt), Migrations: []MigrationReport{},
	}
	if r.Number != 0 {
		v.PublishedBy = Text(r.PublishedBy)
	}
	for _, m := range r.Migrations {
		v.Migrations = append(v.Migrations, MigrationReport{
			Version: m.Version, File: m.File, Checksum: m.Checksum, Class: string(m.Class), Sampled: m.Sampled,
			Locks: List(m.Locks), Rewrites: List(m.Rewrites), Scans: List(m.Scans), DeletesData: List(m.DeletesData),
		})
	}
	return v
}

// Status converts back to the domain type.
func (v Blueprint) Status() blueprint.Status {
	b := blueprint.Status{
		Name: v.Name, ActiveRevision: value(v.ActiveRevision), SchemaVersion: value(v.SchemaVersion), RetiredAt: utc(v.RetiredAt),
		Tenants: v.Tenants, TenantsBehind: v.TenantsBehind, Fixed: v.Fixed,
	}
	for _, r := range v.Revisions {
		b.Revisions = append(b.Revisions, r.Domain())
	}
	for _, one := range v.Variables {
		b.Variables = append(b.Variables, blueprint.Variable{Name: one.Name, Default: one.Default, Pattern: value(one.Pattern), Description: value(one.Description)})
	}
	return b
}

// Domain converts back to the domain type.
func (v BlueprintRevision) Domain() blueprint.Revision {
	r := blueprint.Revision{
		Blueprint: v.Blueprint, Number: value(v.Revision), SHA256: v.SHA256, SchemaVersion: v.SchemaVersion,
		PublishedBy: value(v.PublishedBy), PublishedAt: utc(v.PublishedAt), Active: v.Active,
	}
	for _, m := range v.Migrations {
		r.Migrations = append(r.Migrations, blueprint.MigrationReport{
			Version: m.Version, File: m.File, Checksum: m.Checksum, Class: blueprint.Class(m.Class), Sampled: m.Sampled,
			Locks: nonEmpty(m.Locks), Rewrites: nonEmpty(m.Rewrites), Scans: nonEmpty(m.Scans), DeletesData: nonEmpty(m.DeletesData),
		})
	}
	return r
}

// nonEmpty is nil for an empty list, as in the domain.
func nonEmpty(all []string) []string {
	if len(all) == 0 {
		return nil
	}
	return all
}

// number is null for 0.
func number(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}
