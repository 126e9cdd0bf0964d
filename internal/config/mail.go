package config

import (
	"net"
	"net/mail"
	"net/url"
	"strings"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
)

// The variables of mail and of the links in it.
const (
	MailHost           = "MAIL_HOST"
	MailPort           = "MAIL_PORT"
	MailUser           = "MAIL_USER"
	MailPassword       = "MAIL_PASSWORD"
	MailFrom           = "MAIL_FROM"
	MailTLS            = "MAIL_TLS"
	MailFailurePolicy  = "MAIL_FAILURE_POLICY"
	MailCAFile         = "MAIL_CA_FILE"
	MailOAuthTokenURL  = "MAIL_OAUTH_TOKEN_URL" //nolint:gosec // The name of a variable.
	MailOAuthClientID  = "MAIL_OAUTH_CLIENT_ID"
	MailOAuthSecret    = "MAIL_OAUTH_CLIENT_SECRET" //nolint:gosec // The name of a variable.
	MailOAuthScope     = "MAIL_OAUTH_SCOPE"
	AppURL             = "APP_URL"
	AppHost            = "APP_HOST"
	AppPort            = "APP_PORT"
	InvitationURL      = "INVITATION_URL"
	InvitationTTL      = "INVITATION_TTL"
	InvitationReminder = "INVITATION_REMINDER"
)

// The TLS modes of the connection to the mail server.
const (
	TLSMandatory     = "mandatory"     // STARTTLS, or the mail is not sent.
	TLSOpportunistic = "opportunistic" // STARTTLS where the server offers it.
	TLSNone          = "none"          // No encryption; only on loopback.
)

// Mail has the settings for sending mail.
type Mail struct {
	Host               string
	Port               int // 465 means TLS from the first byte.
	User               string
	Password           Secret
	From               string // An address, with or without a name.
	TLS                string
	FailurePolicy      string // warn or fail.
	CAFile             string // PEM file of authorities, besides the system's.
	OAuth              MailOAuth
	AppURL             string        // Without a trailing slash.
	InvitationURL      string        // Of the platform's own page for invitations; empty: tenant-api has it.
	InvitationTTL      time.Duration // How long an invitation can be accepted.
	InvitationReminder time.Duration // How long before its end a reminder is sent; 0: none.
}

// MailOAuth has the client credentials with which access tokens for the mail server are
// fetched. The zero value: no OAuth.
type MailOAuth struct {
	TokenURL     string
	ClientID     string
	ClientSecret Secret
	Scope        string // Several are separated by spaces.
}

// ReadMail reads the settings of mail.
func ReadMail(source Source) (Mail, error) {
	r := &reader{get: source}
	m := Mail{
		Host:          r.required(MailHost, "give the name of the SMTP server"),
		Port:          int(r.integer(MailPort, 587, 1, 65535)),
		User:          r.text(MailUser, ""),
		Password:      Secret(r.value(MailPassword)),
		From:          r.required(MailFrom, "give the sender, as Platform <no-reply@platform.example>"),
		TLS:           r.oneOf(MailTLS, TLSMandatory, TLSMandatory, TLSOpportunistic, TLSNone),
		FailurePolicy: r.oneOf(MailFailurePolicy, "warn", "warn", "fail"),
	}
	if _, err := mail.ParseAddress(m.From); m.From != "" && err != nil {
		r.addError(MailFrom, "is not an address; give it as no-reply@platform.example or Platform <no-reply@platform.example>")
	}
	if m.TLS == TLSNone && m.Host != "" && !Loopback(m.Host) {
		r.addError(MailTLS, "is none, which is allowed only on loopback, but %s is %q; choose mandatory", MailHost, m.Host)
	}
	if m.User == "" && m.Password != "" {
		r.addError(MailUser, "is not set, but %s is; give both or none", MailPassword)
	}
	m.CAFile, m.OAuth = r.text(MailCAFile, ""), r.mailOAuth(m)
	m.AppURL, m.InvitationURL = r.appURL(), r.invitationURL()
	m.InvitationTTL = r.duration(InvitationTTL, invitation.DefaultTTL)
	if m.InvitationTTL < invitation.MinTTL || m.InvitationTTL > invitation.MaxTTL {
		r.addError(InvitationTTL, "is %v; give a time from %v to %v", m.InvitationTTL, invitation.MinTTL, invitation.MaxTTL)
	}
	m.InvitationReminder = r.duration(InvitationReminder, invitation.DefaultReminder)
	if r.text(InvitationReminder, "") != "" && m.InvitationReminder >= m.InvitationTTL {
		r.addError(InvitationReminder, "is %v, but an invitation ends after %v; give a shorter time, or 0 for no reminder", m.InvitationReminder, m.InvitationTTL)
	}
	return m, r.err()
}

// mailOAuth reads the settings of OAuth: all of them, or none.
func (r *reader) mailOAuth(m Mail) MailOAuth {
	o := MailOAuth{
		TokenURL: r.text(MailOAuthTokenURL, ""), ClientID: r.text(MailOAuthClientID, ""),
		ClientSecret: Secret(r.value(MailOAuthSecret)), Scope: r.text(MailOAuthScope, ""),
	}
	if o.TokenURL == "" {
		if o != (MailOAuth{}) {
			r.addError(MailOAuthTokenURL, "is not set, but another setting of OAuth is; give the address where tokens are fetched, or none of them")
		}
		return o
	}
	u, err := url.Parse(o.TokenURL)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !Loopback(u.Hostname())) {
		r.addError(MailOAuthTokenURL, "is not the https address of a token server; give it as https://login.example/oauth2/v2.0/token")
	}
	if o.ClientID == "" {
		r.addError(MailOAuthClientID, "is not set, but %s is; give the id of the client", MailOAuthTokenURL)
	}
	if o.ClientSecret == "" {
		r.addError(MailOAuthSecret, "is not set, but %s is; give the secret of the client", MailOAuthTokenURL)
	}
	if m.User == "" {
		r.addError(MailUser, "is not set, but %s is; give the mailbox that sends", MailOAuthTokenURL)
	}
	if m.Password != "" {
		r.addError(MailPassword, "is set, and %s is, too; give one of them", MailOAuthTokenURL)
	}
	return o
}

func (r *reader) appURL() string {
	port := r.integer(AppPort, 3000, 0, 65535)
	if port == 0 && r.text(AppURL, "") == "" {
		r.addError(AppURL, "is not set, but %s is 0, which means any free port; give the base address for the links in mails", AppPort)
	}
	fallback := url.URL{Scheme: "http", Host: net.JoinHostPort(r.text(AppHost, "127.0.0.1"), formatInt(port))}
	mailHost, appHost := r.text(MailHost, ""), r.text(AppHost, "127.0.0.1")
	switch {
	case r.text(AppURL, "") != "" || port == 0:
	case mailHost != "" && !Loopback(mailHost):
		r.addError(AppURL, "is not set, but %s is %q, which is not this machine: links in its mails would lead to %s; give the base address for them, as https://app.platform.example", MailHost, mailHost, fallback.String())
	case !Loopback(appHost):
		r.addError(AppURL, "is not set, but %s is %q, which is not this machine alone: links in mails would lead to %s; give the base address for them, as https://app.platform.example", AppHost, appHost, fallback.String())
	}
	address := r.text(AppURL, fallback.String())
	if !isPageURL(address) {
		r.addError(AppURL, "is %q, which is not a base URL; give it as https://app.platform.example", address)
	}
	return strings.TrimRight(address, "/")
}

func (r *reader) invitationURL() string {
	address := r.text(InvitationURL, "")
	switch u, err := url.Parse(address); {
	case address == "":
	case !isPageURL(address):
		r.addError(InvitationURL, "is %q, which is not the address of a page without query and fragment; give it as https://app.platform.example/welcome", address)
	case err == nil && u.Scheme == "http" && !Loopback(u.Hostname()):
		r.addError(InvitationURL, "begins with http, so the network can read the tokens of invitations; use https (http is allowed only on loopback)")
	}
	return address
}

// isPageURL reports whether an address is of a page, without query and fragment.
func isPageURL(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.RawQuery == "" && u.Fragment == ""
}

// Loopback reports whether a host is this machine, without a network between.
func Loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}
