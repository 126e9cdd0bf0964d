// Package config turns settings into typed, validated values. Each setting has one name,
// that of its environment variable; a flag or a Terraform attribute overrides the variable,
// and the variable overrides the default. The fault of a setting is a ValidationError that
// names the setting and never quotes a secret.
package config
