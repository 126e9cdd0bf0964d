// Package mail composes and sends the product's mails, the welcome mail at the end of a
// provisioning and the mail about a failure, each as text and as HTML. It implements
// provisioning.Mailer over SMTP.
//
// The Message-ID consists of tenant, kind and serial, so that a mail server can recognise a
// repetition. The server's response decides the kind of an error: 4xx and lost connections
// are transient, 5xx is permanent. Credentials are sent only over TLS, except on loopback.
package mail
