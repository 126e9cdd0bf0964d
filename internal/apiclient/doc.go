// Package apiclient works on tenants through a running tenant-api. Its Client has
// the methods that provisioning.Service has for the Terraform provider, returns
// the same kinds of errors with the same words, and keeps the same promises, so
// that the provider has one code path for both.
//
// A provisioning runs inside the request that asked for it, as long as somebody
// waits for the answer: when the caller stops, or dies, the server gives the
// tenant back after the step that is running, and the next call continues it.
// That is what the provider does when it works on the database by itself.
//
// What is safe to repeat is repeated: reads, and changes that say how things
// shall be in the end. A lost answer to a provisioning is resolved by asking for
// the same tenant again, never by making another.
package apiclient
