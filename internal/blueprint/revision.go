package blueprint

import "time"

// Revision is a blueprint as it was published. It never changes.
type Revision struct {
	Blueprint     string
	Number        int // From 1.
	SHA256        string
	SchemaVersion int
	PublishedBy   string // The caller, for people.
	PublishedAt   time.Time
	Active        bool // New tenants get it.
	Created       bool // The call that returned it stored it.
	Migrations    []MigrationReport
}

// MigrationReport is what a trial found out about one migration: what it does to a tenant that
// is in use.
type MigrationReport struct {
	Version     int      `json:"version"`
	File        string   `json:"file"`
	Checksum    string   `json:"checksum"`
	Class       Class    `json:"class"`
	Locks       []string `json:"locks,omitempty"`       // On older tables: "patients: AccessExclusiveLock".
	Rewrites    []string `json:"rewrites,omitempty"`    // Older tables that are rewritten.
	Scans       []string `json:"scans,omitempty"`       // Older tables that are read from end to end.
	DeletesData []string `json:"deletesData,omitempty"` // What is deleted: "column patients.phone", "rows of patients".
	Sampled     bool     `json:"sampled"`               // The trial had rows of samples/. Without rows, less is found.
}

// Kept are the reports of the revision's migrations that later files have to keep: those that are fixed,
// and those behind them that the blueprint has unchanged.
func (r Revision) Kept(b Blueprint, fixed int) []MigrationReport {
	kept := min(len(r.Migrations), fixed)
	for kept < len(r.Migrations) && kept < len(b.Migrations) && b.Migrations[kept].Checksum == r.Migrations[kept].Checksum {
		kept++
	}
	return r.Migrations[:kept:kept]
}

// Status is a blueprint with its revisions, as a list shows it.
type Status struct {
	Name           string
	ActiveRevision int        // 0: none; no tenant can be made.
	SchemaVersion  int        // Of the active revision.
	RetiredAt      time.Time  // Zero: it is in use.
	Tenants        int        // That have a schema.
	TenantsBehind  int        // Of these, not at the active revision.
	Revisions      []Revision // The newest first.
	Variables      []Variable // Of the active revision, by name. Lists have none.
	Fixed          int        // Migrations up to this one are in a tenant, or new tenants get them: they never change.
}

// Active is the revision of a blueprint that new tenants get.
type Active struct {
	Blueprint
	Revision int // 0: the blueprint standard.
}

// CheckHistory refuses a blueprint in which a migration was changed or removed that is published and
// fixed: that a tenant has, or new tenants get. KindInvalid with Problems.
func (b Blueprint) CheckHistory(published []MigrationReport) error {
	var c collector
	for i, m := range published {
		switch {
		case i >= len(b.Migrations):
			c.add(m.File, 0, "was published and is missing; restore the file: a migration is undone by a later one")
		case b.Migrations[i].Checksum != m.Checksum:
			c.add(b.Migrations[i].File, 0, "differs from the published file, which tenants have, or new ones get; restore it, and put the change into a new file. If no tenant has it yet, activate an older revision, and publish this again")
		}
	}
	return c.err("try blueprint")
}
