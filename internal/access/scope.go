package access

import (
	"slices"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// Scope is a permission of a caller.
type Scope string

// The scopes.
const (
	ScopeRead  Scope = "tenants:read"  // Read tenants, their progress, their jobs and their audit log.
	ScopeWrite Scope = "tenants:write" // Create, change, suspend, archive and unarchive tenants; includes ScopeRead.
	ScopePurge Scope = "tenants:purge" // Delete an archived tenant's data permanently; includes nothing else.
	ScopeHold  Scope = "tenants:hold"  // Clear legal holds; includes nothing else. Setting one needs ScopeWrite.
	// ScopeCredentials permits database logins that reach a tenant's records; it includes
	// nothing else.
	ScopeCredentials Scope = "tenants:credentials" //nolint:gosec // a scope's name
	// ScopeBlueprints permits to try, publish, activate and retire blueprints, whose SQL makes the
	// tables of all tenants; it includes nothing else.
	ScopeBlueprints Scope = "blueprints:write"
	ScopeAdmin      Scope = "admin" // Everything.
)

// impliedScopes lists the scopes that a scope includes besides itself.
var impliedScopes = map[Scope][]Scope{
	ScopeWrite: {ScopeRead},
	ScopeAdmin: {ScopeRead, ScopeWrite, ScopePurge, ScopeHold, ScopeCredentials, ScopeBlueprints},
}

// Scopes lists all scopes, the weakest first.
func Scopes() []Scope {
	return []Scope{ScopeRead, ScopeWrite, ScopePurge, ScopeHold, ScopeCredentials, ScopeBlueprints, ScopeAdmin}
}

// IsValid reports whether s is a known scope.
func (s Scope) IsValid() bool { return slices.Contains(Scopes(), s) }

// Permits reports whether the granted scopes allow an operation that needs scope s.
func Permits(granted []Scope, s Scope) bool {
	return slices.ContainsFunc(granted, func(g Scope) bool { return g == s || slices.Contains(impliedScopes[g], s) })
}

// ParseScopes reads scopes that are separated by commas or blanks. It returns KindInvalid
// for an empty list or an unknown scope.
func ParseScopes(text string) ([]Scope, error) {
	var scopes []Scope
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		scopes = append(scopes, Scope(word))
	}
	return scopes, validateScopes(scopes)
}

func validateScopes(scopes []Scope) error {
	message := ""
	if len(scopes) == 0 {
		message = "is empty"
	}
	for _, s := range scopes {
		if !s.IsValid() {
			message = "names a scope that does not exist"
		}
	}
	if message == "" {
		return nil
	}
	names := make([]string, 0, len(Scopes()))
	for _, s := range Scopes() {
		names = append(names, string(s))
	}
	return &errs.Error{Kind: errs.KindInvalid, Op: "check scopes", Fields: []errs.FieldError{{
		Field: "scope", Message: message + "; give one or more of " + strings.Join(names, ", "),
	}}}
}
