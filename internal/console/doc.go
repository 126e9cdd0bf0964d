// Package console serves the pages on which people watch and move tenants.
//
// The console is an ordinary client of the API: each page reads and each form acts through the
// API's own handler, in the same process, with the token of the person's session. So scopes, rate
// limits, validation and the audit log are the API's, and the console has no rule of its own: what
// a person may not do is not offered, and refused by the API if tried.
//
// Pages are HTML that the server renders, and they can be read without JavaScript. htmx adds what is
// live: the timeline of a provisioning, the search, checks while one types. There is no build step, no asset of another
// server, and no inline script or style, which the content security policy forbids.
package console
