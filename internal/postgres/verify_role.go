package postgres

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// grants are what a tenant's role may do: privileges by object, as "schema" or
// "table users".
type grants map[string][]string

// baselineGrants are what the baseline gives it.
var baselineGrants = parseGrants(baseline)

var grantStatement = regexp.MustCompile(`^GRANT ([A-Z, ]+) ON (SCHEMA )?(\S.*) TO \{\{role\}\}$`)

// parseGrants reads the GRANT statements of the baseline, of which there is only
// this simple kind.
func parseGrants(b baselineFile) grants {
	all := grants{}
	for _, statements := range b.parts {
		for _, statement := range statements {
			if !strings.HasPrefix(statement, "GRANT") {
				continue
			}
			match := grantStatement.FindStringSubmatch(statement)
			if match == nil {
				panic("baseline.sql has a GRANT that is not understood: " + statement) // Only a broken build has it.
			}
			for object := range strings.SplitSeq(match[3], ", ") {
				name := "schema"
				if table, ok := strings.CutPrefix(object, "{{schema}}."); ok {
					name = "table " + table
				}
				all[name] = append(all[name], strings.Split(match[1], ", ")...)
			}
		}
	}
	return all.sorted()
}

func (g grants) sorted() grants {
	for _, privileges := range g {
		slices.Sort(privileges)
	}
	return g
}

// role checks that the tenant's role is no more than what the baseline made it.
// Its grants are compared for a schema that is there at the newest version.
func (v *verification) role(t provisioning.Tenant, compare bool) error {
	var (
		oid        uint32
		attributes []string
		groups     []string
	)
	err := v.tx.QueryRow(v.ctx, `SELECT oid, array_remove(ARRAY[
			CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolcreatedb THEN 'CREATEDB' END, CASE WHEN rolcreaterole THEN 'CREATEROLE' END,
			CASE WHEN rolreplication THEN 'REPLICATION' END, CASE WHEN rolbypassrls THEN 'BYPASSRLS' END], NULL),
			ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid ORDER BY 1)
		FROM pg_roles r WHERE rolname = $1`, t.DatabaseRole).Scan(&oid, &attributes, &groups)
	if errors.Is(err, pgx.ErrNoRows) {
		v.found(provisioning.SubjectRole, "the role %s is not there", t.DatabaseRole)
		return nil
	}
	if err != nil {
		return err
	}
	if len(attributes) > 0 {
		v.found(provisioning.SubjectRole, "the role %s has %s", t.DatabaseRole, strings.Join(attributes, ", "))
	}
	if len(groups) > 0 {
		v.found(provisioning.SubjectRole, "the role %s is a member of %s", t.DatabaseRole, strings.Join(groups, ", "))
	}
	err = v.strayLogins(t, oid)
	if err == nil {
		err = v.reach(t, oid)
	}
	if err != nil || !compare {
		return err
	}
	return v.grants(t, oid)
}

// strayLogins finds members of the role that look like logins of this registry and
// are none that it knows of.
func (v *verification) strayLogins(t provisioning.Tenant, oid uint32) error {
	rows, err := v.tx.Query(v.ctx, `SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
		WHERE m.roleid = $1 AND starts_with(r.rolname, $2)
		  AND NOT EXISTS (SELECT FROM tenant_credentials c WHERE c.username = r.rolname AND c.tenant_id = $3 AND c.closed_at IS NULL)
		ORDER BY 1`, oid, loginPrefix, t.ID)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, name := range names {
		v.found(provisioning.SubjectRole, "the login %s is a member of the role %s, and nobody has opened it", name, t.DatabaseRole)
	}
	return err
}

// reach finds what the role owns or may use beyond its own schema, in this
// database and in others. PostgreSQL keeps account of every mention of a role.
func (v *verification) reach(t provisioning.Tenant, oid uint32) error {
	rows, err := v.tx.Query(v.ctx, `SELECT CASE
			WHEN d.dbid <> 0 AND d.dbid <> (SELECT oid FROM pg_database WHERE datname = current_database())
				THEN 'something in the database ' || coalesce((SELECT datname::text FROM pg_database WHERE oid = d.dbid), '?')
			ELSE coalesce((SELECT type || ' ' || identity FROM pg_identify_object(d.classid, d.objid, d.objsubid)), 'an object') END,
			d.deptype = 'o'
		FROM pg_shdepend d
		LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
		LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
		LEFT JOIN pg_namespace n ON n.oid = CASE d.classid WHEN 'pg_class'::regclass THEN c.relnamespace
			WHEN 'pg_proc'::regclass THEN p.pronamespace WHEN 'pg_namespace'::regclass THEN d.objid END
		WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = $1
		  AND NOT (d.deptype = 'a' AND n.nspname IS NOT DISTINCT FROM $2
			AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()))
		ORDER BY 2 DESC, 1`, oid, t.SchemaName)
	if err != nil {
		return err
	}
	var (
		object string
		owned  bool
	)
	_, err = pgx.ForEachRow(rows, []any{&object, &owned}, func() error {
		verb := "reaches"
		if owned {
			verb = "owns"
		}
		v.found(provisioning.SubjectRole, "the role %s %s %s, which is none of what it was given", t.DatabaseRole, verb, object)
		return nil
	})
	return err
}

// grants compares what the role may do in its schema with what the baseline gives.
func (v *verification) grants(t provisioning.Tenant, oid uint32) error {
	rows, err := v.tx.Query(v.ctx, `
		SELECT 'schema', privilege_type || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
		FROM pg_namespace, aclexplode(nspacl) WHERE nspname = $2 AND grantee = $1
		UNION ALL
		SELECT CASE relkind WHEN 'r' THEN 'table ' ELSE 'relation ' END || relname, privilege_type || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
		FROM pg_namespace n JOIN pg_class ON relnamespace = n.oid, aclexplode(relacl) WHERE nspname = $2 AND grantee = $1
		UNION ALL
		SELECT 'column ' || relname || '.' || attname, privilege_type
		FROM pg_namespace n JOIN pg_class c ON relnamespace = n.oid JOIN pg_attribute ON attrelid = c.oid, aclexplode(attacl) WHERE nspname = $2 AND grantee = $1
		UNION ALL
		SELECT 'function ' || proname, privilege_type
		FROM pg_namespace n JOIN pg_proc ON pronamespace = n.oid, aclexplode(proacl) WHERE nspname = $2 AND grantee = $1`,
		oid, t.SchemaName)
	if err != nil {
		return err
	}
	has := grants{}
	var object, privilege string
	if _, err := pgx.ForEachRow(rows, []any{&object, &privilege}, func() error {
		has[object] = append(has[object], privilege)
		return nil
	}); err != nil {
		return err
	}
	for _, difference := range baselineGrants.differences(has.sorted()) {
		v.found(provisioning.SubjectRole, "the role %s %s", t.DatabaseRole, difference)
	}
	return nil
}

// differences tells how what a role has differs from what it should have.
func (g grants) differences(has grants) (all []string) {
	objects := maps.Clone(g)
	maps.Copy(objects, has)
	for _, object := range slices.Sorted(maps.Keys(objects)) {
		if !slices.Equal(g[object], has[object]) {
			all = append(all, fmt.Sprintf("has %s on its %s instead of %s", list(has[object]), object, list(g[object])))
		}
	}
	return all
}

func list(privileges []string) string {
	if len(privileges) == 0 {
		return "nothing"
	}
	return strings.Join(privileges, ", ")
}
