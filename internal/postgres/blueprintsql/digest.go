package blueprintsql

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

// PostgreSQL looks up a function among all of its name in the database, also one that is given with
// its schema. A function that each tenant's schema has under one name makes each new tenant slower,
// so its name ends in _ and the digest of the schema's name. Objects and fingerprints, which are
// those of all tenants, have a placeholder in its place: "audit_chain_{{digest}}()".

const digestPlaceholder = "_{{digest}}"

// Two braces of a name or a text are written as four, so that no name is taken for a placeholder.
const (
	braces        = "{{"
	EscapedBraces = "{{{{"
)

// Digest is the digest of a schema's name: 8 digits. It is not of MD5, which servers that follow
// FIPS 140 do not have.
func Digest(schema string) string {
	sum := sha256.Sum256([]byte(schema))
	return hex.EncodeToString(sum[:])[:8]
}

// GeneralSQL is an expression that replaces the digest of a schema's name in a text by the
// placeholder. Both arguments are expressions.
func GeneralSQL(text, schema string) string {
	return `replace(replace(` + text + `, '` + braces + `', '` + EscapedBraces + `'), '_' || left(encode(sha256(convert_to(` + schema + `, 'UTF8')), 'hex'), 8), '` + digestPlaceholder + `')`
}

// InSchema is the reverse of GeneralSQL.
func InSchema(general, schema string) string { return inSchema(schema).Replace(general) }

func inSchema(schema string) *strings.Replacer {
	return strings.NewReplacer(digestPlaceholder, "_"+Digest(schema), EscapedBraces, braces)
}

// HasDigest reports whether a general name has the placeholder.
func HasDigest(general string) bool { return strings.Contains(general, digestPlaceholder) }

// AnyDigest is a regular expression for a general name with the digest of any schema's name.
func AnyDigest(general string) string {
	return strings.ReplaceAll(regexp.QuoteMeta(general), regexp.QuoteMeta(digestPlaceholder), "_[0-9a-f]{8}")
}

// In returns the objects with the names that they have in a schema.
func (o Objects) In(schema string) Objects {
	names, functions := inSchema(schema), make([]Function, len(o.Functions))
	for i, f := range o.Functions {
		f.Signature = names.Replace(f.Signature)
		functions[i] = f
	}
	o.Functions = functions
	return o
}

// In returns the template with the names that its objects have in a schema.
func (t *Template) In(schema string) *Template {
	in := *t
	in.Objects = t.Objects.In(schema)
	return &in
}
