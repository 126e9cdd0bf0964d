// Package api is the companion REST API: provisioning over HTTP, with the
// guarantees of package provisioning.
//
// This package has the server, the routes and the handlers. huma carries routes,
// parameters and the OpenAPI document; package validate reads what a caller sends.
// Every refusal is a problem document (RFC 9457), made in package problem from the
// kind of the error.
//
// The order in which a request is looked at is the same for every call: who asks,
// how often, for what; then whether the request is well formed; then what it says.
// Nobody without a key learns anything but that. Each refusal of a change, and
// each refused caller, is an event of the audit log before it is answered.
//
// A provisioning either goes to the queue, or runs inside the request that asked
// for it (Accept: text/event-stream) and is stopped when that is given up.
package api
