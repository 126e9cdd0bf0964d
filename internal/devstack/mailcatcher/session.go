package mailcatcher

import (
	"crypto/subtle"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// session is one client's SMTP session.
type session struct {
	catcher  *Catcher
	conn     *smtp.Conn
	username string
	from     string
	to       []string
}

var _ smtp.AuthSession = (*session)(nil)

func (c *Catcher) newSession(conn *smtp.Conn) (smtp.Session, error) {
	return &session{catcher: c, conn: conn}, nil
}

// AuthMechanisms offers PLAIN when a login is required.
func (s *session) AuthMechanisms() []string {
	if s.catcher.options.Username == "" {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth compares user name and password with those of the options.
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		o := s.catcher.options
		if !equalConstantTime(username, o.Username) || !equalConstantTime(password, o.Password) {
			return smtp.ErrAuthFailed
		}
		s.username = username
		return nil
	}), nil
}

func equalConstantTime(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// Mail starts a message.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if _, encrypted := s.conn.TLSConnectionState(); s.catcher.options.TLS == TLSStart && !encrypted {
		return smtpError(530, "Must issue a STARTTLS command first")
	}
	if s.catcher.options.Username != "" && s.username == "" {
		return smtpError(530, "Authentication required")
	}
	s.from = from
	return nil
}

// Rcpt adds a recipient.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := s.catcher.faults.onRecipient(); err != nil {
		return err
	}
	s.to = append(s.to, to)
	return nil
}

// Data receives the message.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.catcher.faults.contentQuota.consume(); err != nil {
		return err
	}
	m := parse(raw)
	m.Received, m.EnvelopeFrom, m.To = time.Now().UTC(), s.from, slices.Clone(s.to)
	m.Username = s.username
	_, m.Encrypted = s.conn.TLSConnectionState()
	if m.From == "" {
		m.From = s.from
	}
	s.catcher.store.add(m)
	if s.catcher.faults.shouldDrop() {
		_ = s.conn.Conn().Close() // Not the session's Close: that would wait for this call.
		return fmt.Errorf("connection closed on demand")
	}
	return nil
}

// Reset drops the started message.
func (s *session) Reset() { s.from, s.to = "", nil }

// Logout ends the session.
func (s *session) Logout() error { return nil }

func smtpError(code int, message string) *smtp.SMTPError {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 0, 0}, Message: message}
}
