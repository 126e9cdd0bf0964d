package tenant

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"
)

// maxSlug leaves room for "_" and 13 digits, and more, in PostgreSQL's 63 bytes.
const maxSlug = 40

// letters without a canonical decomposition, with their usual spelling in ASCII.
var transliterations = strings.NewReplacer(
	"æ", "ae", "œ", "oe", "ø", "o", "ß", "ss", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "ı", "i", "ħ", "h")

// Slug derives the readable part of a schema name: lower case ASCII letters and digits,
// with one underscore for everything else, at most 40 bytes. A name that would start with
// a digit or with PostgreSQL's reserved "pg_" gets "t_" in front; a name without any
// Latin letter or digit is "tenant".
func Slug(name string) string {
	decomposed := norm.NFKD.String(transliterations.Replace(strings.ToLower(name)))
	var b strings.Builder
	gap := false
	for _, r := range decomposed {
		switch {
		case unicode.Is(unicode.Mn, r) || r == '\'' || r == '’':
			// Accents and apostrophes are dropped without an underscore.
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			if gap && b.Len() > 0 {
				b.WriteByte('_')
			}
			gap = false
			b.WriteRune(r)
		default:
			gap = true
		}
	}
	slug := b.String()
	switch {
	case slug == "":
		return "tenant"
	case slug[0] <= '9', strings.HasPrefix(slug+"_", "pg_"):
		slug = "t_" + slug
	}
	if len(slug) > maxSlug {
		slug = strings.TrimRight(slug[:maxSlug], "_")
	}
	return slug
}

// SchemaName is the slug and the time in Unix milliseconds. When two tenants conflict,
// the registry calls it again with a later time.
func SchemaName(name string, at time.Time) string {
	return Slug(name) + "_" + strconv.FormatInt(at.UnixMilli(), 10)
}

// OpaqueSchemaName is a random schema name, t_ and 26 letters and digits. Every login of a
// server can read the names of all schemas and roles, and this one tells nothing.
func OpaqueSchemaName() string { return "t_" + strings.ToLower(rand.Text()) }

// DatabaseRole is the name of the role that has access to one tenant schema and owns
// nothing. Roles belong to the whole server, and its other databases may have a schema of
// the same name, so the name ends with four random bytes of the tenant's id.
func DatabaseRole(schema string, id uuid.UUID) string {
	return schema + "_" + hex.EncodeToString(id[len(id)-4:])
}
