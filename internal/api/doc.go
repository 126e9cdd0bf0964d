// Package api is the REST API: provisioning over HTTP, with the guarantees of package
// provisioning.
//
// This package has the server, the routes and the handlers. huma provides routes,
// parameters and the OpenAPI document; package validate reads requests. Every error
// response is a problem document (RFC 9457); package problem derives it from the kind of
// the error.
//
// The order of checks is the same for every operation: caller, rate limit, scope, then form
// and content of the request. A caller without a key learns nothing else. Each rejected
// change and each rejected caller is an event of the audit log before the response is sent.
//
// A provisioning either goes to the queue or runs inside its request (Accept:
// text/event-stream), and is stopped when the client disconnects.
package api
