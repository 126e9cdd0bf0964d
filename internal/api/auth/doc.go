// Package auth tells who the bearer of a token is: the owner of an API key, or the subject
// of a token that a trusted OpenID Connect issuer signed. It decides nothing about what the
// caller may do. A flood of tokens that are not accepted costs the database and the issuer
// a bounded number of requests, and never blocks a valid key.
package auth
