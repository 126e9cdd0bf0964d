package tenantschema

// RoleInspectionSQL is the expression of an inspection.
var RoleInspectionSQL = roleInspectionSQL
