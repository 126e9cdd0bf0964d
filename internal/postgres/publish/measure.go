package publish

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// measure runs the migrations after a version, one after the other, in a schema that is at that
// version, and reports what each does to it. The schema is dropped. With strict, a migration
// that does more than its file permits is a problem: before the first revision there are no
// tenants that it could hold up.
func (s *scratch) measure(ctx context.Context, from int, strict bool) (reports []blueprint.MigrationReport, err error) {
	t, err := s.tenant(0)
	if err != nil {
		return nil, err
	}
	defer func() {
		ctx := context.WithoutCancel(ctx)
		if _, dropErr := s.conn.Exec(ctx, `DROP SCHEMA IF EXISTS `+pgx.Identifier{t.SchemaName}.Sanitize()+` CASCADE`); err == nil {
			err = dropErr
		}
	}()
	base := s.template(from)
	if err := pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error { return s.makeSchema(ctx, tx, t, base) }); err != nil {
		return nil, err
	}
	for version := 1; version <= from; version++ {
		if err := s.addSamples(ctx, t, base, version); err != nil {
			return nil, err
		}
	}
	var problems blueprint.Problems
	for _, m := range s.blueprint.Migrations[from:] {
		report, err := s.measureMigration(ctx, t, base, m)
		if err != nil {
			return nil, err
		}
		if strict {
			problems = append(problems, notAllowed(m, report)...)
		}
		reports = append(reports, report)
		if err := s.addSamples(ctx, t, base, m.Version); err != nil {
			return nil, err
		}
	}
	return reports, problemsError(problems)
}

// addSamples inserts the sample rows of a version.
func (s *scratch) addSamples(ctx context.Context, t tenant.Tenant, template *blueprintsql.Template, version int) error {
	for _, sample := range s.blueprint.Samples {
		if sample.Version != version {
			continue
		}
		part := blueprintsql.Part{Migration: blueprint.Migration{File: sample.File}, Statements: sample.Statements}
		if err := pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error { return s.runParts(ctx, tx, t, template, []blueprintsql.Part{part}) }); err != nil {
			return err
		}
	}
	return nil
}

// olderTable is a table that is older than the migration that is measured.
type olderTable struct {
	Name    string   `json:"name"`
	File    int64    `json:"file"`    // It changes when the table is rewritten.
	Locks   []string `json:"locks"`   // Modes that the transaction holds.
	Scans   int64    `json:"scans"`   // In the transaction.
	Rows    int64    `json:"rows"`    // Read or written in it.
	Deleted int64    `json:"deleted"` // In it.
	Columns []string `json:"columns"`
}

// olderSQL reads the tables of a schema, as olderTable by oid. The numbers are those of the
// transaction that reads them.
const olderSQL = `SELECT coalesce(jsonb_object_agg(c.oid::text, jsonb_build_object('name', c.relname, 'file', coalesce(pg_relation_filenode(c.oid)::bigint, 0),
		'locks', to_jsonb(ARRAY(SELECT DISTINCT l.mode FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.relation = c.oid ORDER BY 1)),
		'scans', pg_stat_get_xact_numscans(c.oid), 'deleted', pg_stat_get_xact_tuples_deleted(c.oid),
		'rows', pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid) + pg_stat_get_xact_tuples_inserted(c.oid)
			+ pg_stat_get_xact_tuples_updated(c.oid) + pg_stat_get_xact_tuples_deleted(c.oid),
		'columns', to_jsonb(ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1)))), '{}')
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'm')`

type olderTables map[string]olderTable

func readOlder(ctx context.Context, q pgdb.RowQuerier, schema string) (found olderTables, err error) {
	err = q.QueryRow(ctx, olderSQL, schema).Scan(&found)
	return found, err
}

// blockingModes are the locks under which others cannot write, or not even read.
var blockingModes = []string{"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"}

// observation is what one migration did to older tables.
type observation struct {
	before, last                   olderTables         // At its start, and after the last statement.
	locks                          map[string][]string // By table.
	rewrites, scans, deletes, busy map[string]bool     // busy: rows were read or written under a lock that blocks others.
}

func newObservation(before olderTables) *observation {
	return &observation{before: before, last: before, locks: map[string][]string{}, rewrites: map[string]bool{}, scans: map[string]bool{}, deletes: map[string]bool{}, busy: map[string]bool{}}
}

// measureMigration runs one migration and keeps what it made.
func (s *scratch) measureMigration(ctx context.Context, t tenant.Tenant, template *blueprintsql.Template, m blueprint.Migration) (blueprint.MigrationReport, error) {
	report := blueprint.MigrationReport{Version: m.Version, File: m.File, Checksum: m.Checksum, Class: blueprint.ClassOnline, Sampled: s.hasRows(m.Version)}
	if m.NoTransaction { // Only CONCURRENTLY is permitted there, which holds up nobody.
		return report, s.runWithoutTransaction(ctx, t, m)
	}
	err := pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
		// Few rows make PostgreSQL read whole tables where it would use an index.
		if _, err := tx.Exec(ctx, `SET LOCAL enable_seqscan = off`); err != nil {
			return err
		}
		// Inside the transaction: between two, PostgreSQL moves the session's counts to the
		// statistics of the table and begins at 0 again.
		before, err := readOlder(ctx, tx, t.SchemaName)
		if err != nil {
			return err
		}
		o := newObservation(before)
		defer o.fill(&report)
		if err := s.run(ctx, tx, template.Begin(t, s.owner, "")); err != nil {
			return err
		}
		for _, statement := range m.Up {
			part := blueprintsql.Part{Migration: m, Statements: []blueprint.Statement{statement}}
			if err := s.run(ctx, tx, template.Guarded(t, s.owner, part, func(s blueprint.Statement) string { return s.SQL })); err != nil {
				return err
			}
			after, err := readOlder(ctx, tx, t.SchemaName)
			if err != nil {
				return err
			}
			o.observe(statement, after)
		}
		return s.run(ctx, tx, template.End(t, ""))
	})
	return report, err
}

// hasRows reports whether the tables before a version have sample rows.
func (s *scratch) hasRows(version int) bool {
	return slices.ContainsFunc(s.blueprint.Samples, func(sample blueprint.Sample) bool { return sample.Version < version })
}

// runWithoutTransaction runs a migration whose indexes are made CONCURRENTLY.
func (s *scratch) runWithoutTransaction(ctx context.Context, t tenant.Tenant, m blueprint.Migration) error {
	become := `SELECT set_config('search_path', $1, false), set_config('role', $2, false)`
	path := pgx.Identifier{t.SchemaName}.Sanitize()
	var before struct{ path, role string }
	if err := s.conn.QueryRow(ctx, `SELECT current_setting('search_path'), current_user`).Scan(&before.path, &before.role); err != nil {
		return err
	}
	s.dirty = true
	if _, err := s.conn.Exec(ctx, become, path, s.owner); err != nil {
		return err
	}
	for _, statement := range m.Up {
		from := blueprintsql.Origin{File: m.File, Line: statement.Line}
		if err := s.run(ctx, s.conn, []blueprintsql.Statement{{SQL: statement.SQL, Origin: from}}); err != nil {
			return err
		}
	}
	_, err := s.conn.Exec(ctx, become, before.path, before.role)
	s.dirty = err != nil
	return err
}

// observe compares the older tables before and after a statement.
func (o *observation) observe(statement blueprint.Statement, after olderTables) {
	blocked := statement.Command == "LOCK" || statement.Command == "LOCK TABLE"
	for oid := range o.before {
		for _, mode := range after[oid].Locks {
			blocked = blocked || slices.Contains(blockingModes, mode)
		}
	}
	for oid, old := range o.before {
		now, exists := after[oid]
		was := o.last[oid]
		if !exists {
			o.deletes["table "+old.Name] = true
			continue
		}
		for _, column := range old.Columns {
			if !slices.Contains(now.Columns, column) {
				o.deletes["column "+old.Name+"."+column] = true
			}
		}
		if now.Deleted > was.Deleted || strings.HasPrefix(statement.Command, "TRUNCATE") && now.File != was.File {
			o.deletes["rows of "+old.Name] = true
		}
		if now.File != was.File && !strings.HasPrefix(statement.Command, "TRUNCATE") {
			o.rewrites[old.Name] = true
		}
		if now.Scans > was.Scans && !strings.HasPrefix(statement.Command, "TRUNCATE") { // It reads the emptied table for its indexes.
			o.scans[old.Name] = true
		}
		if blocked && now.Rows > was.Rows || statement.Command == "LOCK" || statement.Command == "LOCK TABLE" {
			o.busy[old.Name] = true
		}
		if len(now.Locks) > 0 {
			o.locks[old.Name] = now.Locks
		}
	}
	o.last = after
}

// fill writes what was observed into a report.
func (o *observation) fill(r *blueprint.MigrationReport) {
	for _, name := range slices.Sorted(maps.Keys(o.locks)) {
		if modes := slices.DeleteFunc(slices.Clone(o.locks[name]), func(mode string) bool {
			return !slices.Contains(blockingModes, mode) && mode != "ShareUpdateExclusiveLock"
		}); len(modes) > 0 {
			r.Locks = append(r.Locks, name+": "+strings.Join(modes, ", "))
		}
	}
	r.Rewrites, r.Scans, r.DeletesData = slices.Sorted(maps.Keys(o.rewrites)), slices.Sorted(maps.Keys(o.scans)), slices.Sorted(maps.Keys(o.deletes))
	switch {
	case len(r.Rewrites) > 0:
		r.Class = blueprint.ClassRewrites
	case len(r.Scans) > 0:
		r.Class = blueprint.ClassScans
	case len(o.busy) > 0:
		r.Class = blueprint.ClassLocks
	}
}

// notAllowed is the problem of a migration that does more than its file permits.
func notAllowed(m blueprint.Migration, r blueprint.MigrationReport) blueprint.Problems {
	order := []blueprint.Class{blueprint.ClassOnline, blueprint.ClassLocks, blueprint.ClassScans, blueprint.ClassRewrites}
	found := slices.Index(order, r.Class)
	if found == 0 || slices.ContainsFunc(m.Allow, func(c blueprint.Class) bool { return slices.Index(order, c) >= found }) {
		return nil
	}
	what := map[blueprint.Class]string{
		blueprint.ClassLocks:    "reads or writes rows while it holds a lock that blocks others (" + strings.Join(r.Locks, "; ") + ")",
		blueprint.ClassScans:    "reads these tables from end to end: " + strings.Join(r.Scans, ", "),
		blueprint.ClassRewrites: "rewrites these tables: " + strings.Join(r.Rewrites, ", "),
	}[r.Class]
	return blueprint.Problems{{File: m.File, Message: fmt.Sprintf("%s; change it so that tenants can go on working, or add the line: -- +blueprint allow: %s", what, r.Class)}}
}
