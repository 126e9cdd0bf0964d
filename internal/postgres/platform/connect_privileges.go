package platform

// privilege is one object that a role may access, although it must not.
type privilege struct {
	What   string // "may access table x".
	Revoke string // REVOKE without FROM.
	Mine   bool   // The current user may revoke it.
}

// connectPrivilegesSQL is an expression with the privileges of a role in this database as JSON, without
// CONNECT. d is the row of pg_database, and role the oid. It reads the references to the role by
// an index. Large objects are left out, which a tenant's login can make and give away, and so
// is what the role owns: both end with the login.
func connectPrivilegesSQL(role string) string {
	return `to_jsonb(ARRAY(SELECT DISTINCT jsonb_build_object('what', 'may access ' || lower(k.kind) || ' ' || k.object, 'revoke', 'REVOKE ALL ON ' || k.kind || ' ' || k.object, 'mine', pg_has_role(k.owner, 'USAGE'))
		FROM pg_shdepend x CROSS JOIN LATERAL (
			SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, format('%I.%I', n.nspname, c.relname) AS object, c.relowner AS owner
				FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE x.classid = 'pg_class'::regclass AND c.oid = x.objid
			UNION ALL SELECT 'SCHEMA', quote_ident(n.nspname), n.nspowner FROM pg_namespace n WHERE x.classid = 'pg_namespace'::regclass AND n.oid = x.objid
			UNION ALL SELECT 'ROUTINE', format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), p.proowner
				FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE x.classid = 'pg_proc'::regclass AND p.oid = x.objid
		) k
		WHERE x.refclassid = 'pg_authid'::regclass AND x.refobjid = ` + role + ` AND x.deptype = 'a' AND x.dbid = d.oid ORDER BY 1))
		|| to_jsonb(ARRAY(SELECT jsonb_build_object('what', 'has ' || string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) || ' on database ' || quote_ident(d.datname),
				'revoke', 'REVOKE ' || string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type) || ' ON DATABASE ' || quote_ident(d.datname), 'mine', pg_has_role(d.datdba, 'USAGE'))
			FROM aclexplode(d.datacl) a WHERE a.grantee = ` + role + ` AND a.privilege_type <> 'CONNECT' HAVING count(*) > 0))`
}
