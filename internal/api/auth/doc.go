// Package auth identifies the bearer of a token: the owner of an API key, or the subject of
// a token from a trusted OpenID Connect issuer. It does not decide what the caller may do.
// A flood of rejected tokens costs the database and the issuer a limited number of
// requests, and never blocks a valid key.
package auth
