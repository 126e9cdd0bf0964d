// Package config turns settings into typed, validated values. Each setting has
// one name, that of its environment variable; a flag or a Terraform attribute
// comes before the variable, and the variable before the default. What is wrong
// with a setting is an Error that names it and never quotes a secret.
package config
