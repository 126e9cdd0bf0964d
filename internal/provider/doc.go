// Package provider is the Terraform provider "healthcare". It translates between
// Terraform and package provisioning, and contains no rules about tenants:
// validators, statuses and errors come from the core packages.
//
// Guarantees: the registry, not the state, records a tenant that a killed process
// left unfinished. No connection is opened before a resource needs it, because the
// database can be part of the same apply. State is saved from the plan as soon as
// there is an id. An interrupted run completes its current step and leaves the
// tenant untainted, and the next apply continues it.
package provider
