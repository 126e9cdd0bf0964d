package blueprintsql

import (
	"cmp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Objects are what the migrations of a blueprint make, as far as privileges are concerned.
type Objects struct {
	Tables    []Table  `json:"tables"` // Views, too.
	Sequences []string `json:"sequences,omitempty"`
	// OwnedSequences are those of Sequences that belong to a column.
	OwnedSequences []string   `json:"ownedSequences,omitempty"`
	Functions      []Function `json:"functions,omitempty"`
	// ExtensionSchemas are the schemas of the extensions that the blueprint names.
	ExtensionSchemas []string `json:"extensionSchemas,omitempty"`
}

// Table is a table or a view.
type Table struct {
	Name string `json:"name"`
	View bool   `json:"view,omitempty"`
}

// Function is a function or a procedure.
type Function struct {
	Signature string `json:"signature"` // With the types of its arguments, without its schema; {{digest}} is that of the schema's name.
	Trigger   bool   `json:"trigger,omitempty"`
}

// ObjectKind is a kind of objects as GRANT has it.
type ObjectKind string

// The kinds of objects.
const (
	KindSchema   ObjectKind = "SCHEMA"
	KindTable    ObjectKind = "TABLE"
	KindSequence ObjectKind = "SEQUENCE"
	KindFunction ObjectKind = "FUNCTION"
)

// Object is one object of a tenant's schema; the schema itself has no name.
type Object struct {
	Kind ObjectKind
	Name string
}

// String is the object as messages have it: "table users".
func (o Object) String() string {
	if o.Kind == KindSchema {
		return "schema"
	}
	return strings.ToLower(string(o.Kind)) + " " + o.Name
}

// Quoted is the object's name in SQL, in the schema {{schema}}.
func (o Object) Quoted() string {
	switch o.Kind {
	case KindSchema:
		return "{{schema}}"
	case KindFunction:
		name, arguments, _ := strings.Cut(o.Name, "(")
		return "{{schema}}." + pgx.Identifier{name}.Sanitize() + "(" + arguments
	case KindTable, KindSequence:
	}
	return "{{schema}}." + pgx.Identifier{o.Name}.Sanitize()
}

// CompareObjects orders objects by kind and name.
func CompareObjects(a, b Object) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
}

// All lists the objects, the schema first.
func (o Objects) All() []Object {
	all := []Object{{Kind: KindSchema}}
	for _, t := range o.Tables {
		all = append(all, Object{KindTable, t.Name})
	}
	for _, name := range o.Sequences {
		all = append(all, Object{KindSequence, name})
	}
	for _, f := range o.Functions {
		all = append(all, Object{KindFunction, f.Signature})
	}
	return all
}

// Owned reports whether a sequence belongs to a column: it follows the owner of the table.
func (o Objects) Owned(sequence string) bool { return slices.Contains(o.OwnedSequences, sequence) }

// Existing are the objects for which exists is true; it gets kind and name, as a fingerprint has
// them.
func (o Objects) Existing(exists func(object string) bool) Objects {
	kept := Objects{ExtensionSchemas: o.ExtensionSchemas, OwnedSequences: o.OwnedSequences}
	for _, t := range o.Tables {
		if exists("table "+t.Name) || exists("view "+t.Name) || exists("materialized view "+t.Name) || exists("foreign table "+t.Name) {
			kept.Tables = append(kept.Tables, t)
		}
	}
	for _, name := range o.Sequences {
		if exists("sequence " + name) {
			kept.Sequences = append(kept.Sequences, name)
		}
	}
	for _, f := range o.Functions {
		if exists("function " + f.Signature) {
			kept.Functions = append(kept.Functions, f)
		}
	}
	return kept
}

// TableNames are the names of tables and views, sorted.
func (o Objects) TableNames() []string {
	var names []string
	for _, t := range o.Tables {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return names
}
