// Package signin signs people in to the console and out of it. The console is a client of the API in
// the same process: it makes its requests with the token of a session, in a context of
// auth.InConsole.
//
// A person signs in with an API key, or at the trusted OpenID Connect issuer, by the authorization
// code flow with PKCE. Either makes a session in the registry, with a new token, which the browser
// keeps in a cookie that no script reads and that no page of another site sends. The session can do
// what the key can now, or what the issuer's access token could; there are no rules of its own.
//
// Sign-ins, refused sign-ins and sign-outs are in the audit log. The package makes no pages: its
// errors say what to tell the person, see Problem.
package signin
