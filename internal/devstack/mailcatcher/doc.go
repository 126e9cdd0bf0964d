// Package mailcatcher is an SMTP server that stores mail instead of delivering it, for
// tests that check what was sent and for people who want to read it. The devstack and
// the tests use it instead of a mail server.
//
// The SMTP protocol is real: EHLO, STARTTLS or TLS from the first byte with a
// self-signed certificate, AUTH PLAIN, size limits, addresses in ASCII only (SMTPUTF8 is
// not offered, as with many servers). A message is stored exactly when the server has
// accepted it, even when the response is then lost. The newest MaxMessages messages are
// kept in memory.
//
// Over HTTP, GET /messages returns them as JSON, DELETE /messages deletes them, and /
// shows them; that page and the mail in it cannot load anything from other hosts.
// Requests with a Host other than this machine are refused, so no web site can read mail
// through a user's browser.
//
// Faults are injected on demand: rejections, no response, a connection closed between
// acceptance and response.
package mailcatcher
