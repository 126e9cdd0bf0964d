// Package provider is the Terraform provider "healthcare". It translates between
// Terraform and package provisioning, and holds no rule of its own about tenants:
// validators, statuses and errors come from there.
//
// What was planned for or learned in other providers: the registry, not the
// state, remembers a tenant that a killed process left behind; nothing connects
// before a resource needs it, because the database can be part of the same
// apply; state is saved from the plan, as soon as there is an id; and a run that
// is interrupted ends its step and leaves the tenant untainted, for the next
// apply to continue.
package provider
