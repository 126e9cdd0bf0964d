// Package validate reads what a caller sends, strictly: bodies with no unknown, repeated or
// wrong fields, and known parameters with one valid value each.
//
// huma checks the schemas of parameters. The rest is done here, because huma decodes bodies
// with encoding/json, which accepts repeated fields, other cases of names and half surrogate
// pairs, and because its errors quote the value, which may be a secret. Errors name the
// field, the fault and the remedy, all of them at once, at most 50.
package validate
