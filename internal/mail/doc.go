// Package mail composes and sends the product's mails, the welcome mail at the end of a
// provisioning and the mail about a failure, each as text and as HTML. It implements
// provisioning.Mailer over SMTP.
//
// A conversation with the mail server belongs to a mail sender of this package, not to the
// caller: the caller waits as long as it can, and the conversation goes on behind it. The
// moment that matters is the final dot of the message: before it the conversation can be
// ended and nothing was sent; after it the server may have the mail, so it is never sent
// again without an answer. One gate decides which of the two it is.
//
// The Message-ID consists of tenant, kind and serial, so that a mail server can recognise a
// repetition. The server's response decides the kind of an error: 4xx and lost connections
// are transient, 5xx is permanent. Credentials are sent only over TLS, except on loopback.
package mail
