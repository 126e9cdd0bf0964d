package fingerprint

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
)

// Difference is how a schema differs from what it has to be. The lists are sorted.
type Difference struct {
	Missing   []string
	Changed   []string
	Unmanaged []string  // That others added.
	Renamed   []Renamed // Functions, which are neither in Missing nor in Unmanaged.
}

// Renamed is a function whose name has the digest of another schema's name: that was the schema's name
// when the function was made. Other statements would not find it.
type Renamed struct {
	Wanted string // "function audit_chain_0a1b2c3d()".
	Found  string
}

// IsEmpty reports whether there is no difference.
func (d Difference) IsEmpty() bool {
	return len(d.Missing)+len(d.Changed)+len(d.Unmanaged)+len(d.Renamed) == 0
}

// In returns the difference with the names that the objects have in a schema.
func (d Difference) In(schema string) Difference {
	for _, names := range []*[]string{&d.Missing, &d.Changed, &d.Unmanaged} {
		*names = slices.Clone(*names)
		for i, name := range *names {
			(*names)[i] = blueprintsql.InSchema(name, schema)
		}
	}
	d.Renamed = slices.Clone(d.Renamed)
	for i, r := range d.Renamed {
		d.Renamed[i] = Renamed{blueprintsql.InSchema(r.Wanted, schema), blueprintsql.InSchema(r.Found, schema)}
	}
	return d
}

// Statement is what gives the function in a schema its right name.
func (r Renamed) Statement(schema string) string {
	kind, _, _ := strings.Cut(r.Found, " ")
	_, arguments, _ := strings.Cut(r.Found, "(")
	return "ALTER " + strings.ToUpper(kind) + " " + pgx.Identifier{schema, routineName(r.Found)}.Sanitize() + "(" + arguments + " RENAME TO " + pgx.Identifier{routineName(r.Wanted)}.Sanitize()
}

// Compare compares the structure of a tenant's schema with f, without the tables that match one
// of the patterns (path.Match) and what is on them.
func (f Fingerprint) Compare(actual Fingerprint, ignore []string) Difference {
	d := f.compare(actual, ignore)
	if renamed := d.findRenamed(); len(renamed) > 0 {
		d = f.compare(actual.withNames(renamed), ignore)
		d.Renamed = renamed
	}
	return d
}

func (f Fingerprint) compare(actual Fingerprint, ignore []string) (d Difference) {
	for _, object := range slices.Sorted(maps.Keys(f)) {
		switch found, exists := actual[object]; {
		case isIgnored(object, ignore):
		case !exists:
			d.Missing = append(d.Missing, object)
		case !matches(f[object], found):
			d.Changed = append(d.Changed, object)
		}
	}
	for _, object := range slices.Sorted(maps.Keys(actual)) {
		if _, expected := f[object]; !expected && !isIgnored(object, ignore) && !isPart(object, f, actual) {
			d.Unmanaged = append(d.Unmanaged, object)
		}
	}
	return d
}

// findRenamed finds missing functions that are there with another digest. Where several could be the
// missing one, none is.
func (d Difference) findRenamed() (renamed []Renamed) {
	for _, wanted := range d.Missing {
		if !blueprintsql.HasDigest(wanted) || !isRoutine(wanted) {
			continue
		}
		pattern := regexp.MustCompile("^" + blueprintsql.AnyDigest(wanted) + "$")
		found := slices.DeleteFunc(slices.Clone(d.Unmanaged), func(object string) bool { return !pattern.MatchString(object) })
		if len(found) == 1 {
			renamed = append(renamed, Renamed{wanted, found[0]})
		}
	}
	return renamed
}

// withNames returns f as it is with the right names: also what names the functions, such as triggers,
// is as it has to be then.
func (f Fingerprint) withNames(renamed []Renamed) Fingerprint {
	var names []string
	keys := map[string]string{}
	for _, r := range renamed {
		names, keys[r.Found] = append(names, routineName(r.Found), routineName(r.Wanted)), r.Wanted
	}
	replacer, with := strings.NewReplacer(names...), Fingerprint{}
	for object, definition := range f {
		with[cmp.Or(keys[object], object)] = replacer.Replace(definition)
	}
	return with
}

// routineName is the name of a function without its kind and its arguments.
func routineName(object string) string {
	_, name, _ := strings.Cut(object, " ")
	name, _, _ = strings.Cut(name, "(")
	return name
}

// isRoutine reports whether an object is a function, a procedure or an aggregate.
func isRoutine(object string) bool {
	kind, _, _ := strings.Cut(object, " ")
	return kind == "function" || kind == "procedure" || kind == "aggregate"
}
