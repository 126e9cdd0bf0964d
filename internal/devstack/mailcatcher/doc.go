// Package mailcatcher is an SMTP server that delivers nothing: it keeps what it
// is given, for tests that want to know what was sent and for a person who wants
// to see it. The devstack and the tests use it in place of a mail server.
//
// The conversation is real: EHLO, STARTTLS or TLS from the first byte with a
// certificate of its own, AUTH PLAIN, size limits, addresses in ASCII alone
// (SMTPUTF8 is not offered, as with many servers). A message is kept exactly
// when the server has taken responsibility for it, also when the answer is then
// lost. Messages live in memory, the newest MaxMessages of them.
//
// Over HTTP, GET /messages gives them as JSON, DELETE /messages forgets them, and
// / shows them; that page loads nothing from elsewhere, and neither may the mail
// in it. Requests that name a host other than this machine are refused, so no
// web site can read mail through a visitor's browser.
//
// Faults are on demand: refusals, silence, a connection cut between acceptance
// and answer.
package mailcatcher
