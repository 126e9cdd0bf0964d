// Package apiclient manages tenants through a running tenant-api. Its Client has the
// methods of the services that the Terraform provider uses, with the same error kinds and
// messages and the same guarantees, so that the provider has one code path for both.
//
// A provisioning runs inside its request: when the connection closes, the server releases
// the tenant after the current step, and the next request continues it. The provider does
// the same when it uses the database directly.
//
// The client retries requests that are safe to repeat: reads, and changes that describe
// the final state. When the response to a provisioning is lost, the client requests the
// same tenant again. It never creates a second one.
package apiclient
