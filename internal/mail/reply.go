package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// classify maps an error of a conversation to a kind and a message. The message has the
// server's status and its own words, bounded and without addresses and secrets.
func (c *conversation) classify(ctx context.Context, err error, op string) error {
	if cause := context.Cause(ctx); cause != nil {
		return notSent(ctx)
	}
	var typed *errs.Error
	if errors.As(err, &typed) {
		return err
	}
	var (
		reply        *textproto.Error
		authorityErr x509.UnknownAuthorityError
		hostnameErr  x509.HostnameError
		verifyErr    *tls.CertificateVerificationError
	)
	cause := c.hidden().withoutSecrets(err)
	switch {
	case errors.Is(err, errConversationTooLong), strings.Contains(err.Error(), errConversationTooLong.Error()): // The library does not always wrap.
		return errs.Wrap(cause, errs.KindTransient, op, "the mail server sends more than a mail server does; check MAIL_HOST and MAIL_PORT")
	case errors.As(err, &authorityErr), errors.As(err, &hostnameErr), errors.As(err, &verifyErr):
		return settingsError(cause, op, "the mail server's certificate could not be verified; correct MAIL_HOST, or give its authority in MAIL_CA_FILE")
	case errors.Is(err, errNoSTARTTLS):
		return settingsError(cause, op, "the mail server offers no STARTTLS; use port 465, another server, or MAIL_TLS=opportunistic")
	case errors.Is(err, errOnlyOAuth):
		return settingsError(cause, op, "the mail server accepts no user name and password, only OAuth (XOAUTH2); set MAIL_OAUTH_TOKEN_URL, MAIL_OAUTH_CLIENT_ID and MAIL_OAUTH_CLIENT_SECRET, or use another server")
	case errors.Is(err, errNoXOAUTH2):
		return settingsError(cause, op, "the mail server offers no OAuth login (XOAUTH2) that is safe on this connection; check MAIL_TLS, or set MAIL_PASSWORD instead of MAIL_OAUTH_TOKEN_URL")
	case errors.Is(err, errNoLoginMethod):
		return settingsError(cause, op, "the mail server offers no login method that is safe on this connection; check MAIL_TLS, or unset MAIL_USER")
	case errors.As(err, &reply):
		return c.classifyReply(reply, cause, op)
	}
	return errs.Wrap(cause, errs.KindTransient, op, "the mail server does not answer; check MAIL_HOST, MAIL_PORT and MAIL_TLS")
}

// settingsError is the error of a server with which the settings do not work, whatever the mail.
func settingsError(cause error, op, format string, args ...any) error {
	return errs.Wrap(fmt.Errorf("%w: %w", provisioning.ErrMailSettings, cause), errs.KindPermanent, op, format, args...)
}

// classifyReply maps a refusal of the server.
func (c *conversation) classifyReply(reply *textproto.Error, cause error, op string) error {
	status := strings.TrimSpace(strconv.Itoa(reply.Code) + " " + enhancedCode.FindString(reply.Msg)) // As in "535 5.7.139".
	words := status
	if text := c.hidden().ownWords(enhancedCode.ReplaceAllString(reply.Msg, "")); text != "" {
		words += ": " + text
	}
	switch {
	case status == "535 5.7.139" || status == "550 5.7.30": // Microsoft's codes.
		return settingsError(cause, op, "the mail server accepts no user name and password (%s); basic authentication is switched off for this account or tenant: set MAIL_OAUTH_TOKEN_URL and its settings, have it switched on, or use another server", words)
	case (reply.Code == 535 || reply.Code == 534) && c.options.OAuth.TokenURL != "":
		return settingsError(cause, op, "the mail server refused the OAuth token (%s); check MAIL_USER, MAIL_OAUTH_SCOPE, and that the client may send mail as this user", words)
	case reply.Code == 535 || reply.Code == 534 || reply.Code == 530:
		return settingsError(cause, op, "the mail server refused the login (%s); check MAIL_USER and MAIL_PASSWORD", words)
	case reply.Code >= 500:
		return errs.Wrap(cause, errs.KindPermanent, op, "the mail server refused the message permanently (%s)", words)
	case reply.Code >= 400:
		return errs.Wrap(cause, errs.KindTransient, op, "the mail server refused the message temporarily (%s)", words)
	}
	return errs.Wrap(cause, errs.KindTransient, op, "the mail server does not answer as a mail server does (%s); check MAIL_HOST and MAIL_PORT", words)
}

// enhancedCode is the status code of RFC 3463 with which many replies, and their lines, begin.
var enhancedCode = regexp.MustCompile(`(?m)^[245]\.\d{1,3}\.\d{1,3}\b`)

// maxWords is how much of a server's text is shown, in characters.
const maxWords = 200

// address matches mail addresses, which the server's words may quote.
var address = regexp.MustCompile(`[^\s<>"'(),:;]+@[^\s<>"'(),:;]+`)

// secrets are texts that neither people nor the log may see.
type secrets []string

// hidden returns the secrets of settings and mail, also in the form in which a login sends them:
// the server's words may repeat them.
func (c *conversation) hidden() secrets {
	user, password := c.options.User, c.options.Password.Reveal()
	all := append(secrets{password, c.options.OAuth.ClientSecret.Reveal(), c.login.token}, c.secrets...)
	if password != "" {
		for _, sent := range []string{password, "\x00" + user + "\x00" + password} {
			all = append(all, base64.StdEncoding.EncodeToString([]byte(sent)))
		}
	}
	return all
}

func (s secrets) hide(text string) string {
	for _, secret := range s {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "(secret)")
		}
	}
	return text
}

// ownWords returns a server's text for people: one line, bounded, without secrets and
// addresses.
func (s secrets) ownWords(text string) string {
	words := strings.FieldsFunc(s.hide(text), func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
	return errs.Truncate(address.ReplaceAllString(strings.Join(words, " "), "(address)"), maxWords)
}

// withoutSecrets returns an error for the log: bounded, and without secrets.
func (s secrets) withoutSecrets(err error) error {
	return errors.New(errs.Truncate(s.hide(err.Error()), errs.MaxErrorLength))
}
