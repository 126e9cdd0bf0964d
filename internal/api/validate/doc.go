// Package validate reads requests strictly: bodies without unknown, repeated or invalid
// fields, and known parameters with one valid value each.
//
// huma checks the schemas of parameters. This package does the rest, because huma decodes
// bodies with encoding/json, which accepts repeated fields, names in other cases and half
// surrogate pairs, and because huma's errors quote the value, which may be a secret. Errors
// name the field, the fault and the remedy; one response has all of them, at most 50.
package validate
