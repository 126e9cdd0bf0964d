// Package demo shows the lifecycle of a tenant, on this machine only: it builds the
// provider, starts the development stack, applies examples/quickstart with a real
// terraform or tofu CLI, shows the result in the database, on the ledger and in the
// mail, plans again, destroys, and shows what is kept. Then it publishes
// examples/blueprints/clinic, makes three tenants of it, whose own step calls
// examples/directory, and brings a second revision of their tables to all of them.
//
// The demo reads everything that it shows from where it is stored, and fails when a
// value is not as expected. It leaves no files or processes behind, however it ends.
package demo
