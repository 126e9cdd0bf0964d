// Package mail writes and sends the product's mail: the welcome that ends a
// provisioning and the word about a failed one, each as text and as HTML. It
// implements provisioning.Mailer in a real SMTP conversation.
//
// A mail is addressed, dated and numbered so that a repetition is recognised:
// the Message-ID is made of tenant, kind and serial. What the server answers
// decides the kind of the error: 4xx and lost connections are transient, 5xx
// permanent. Credentials travel over TLS alone, but on loopback.
package mail
