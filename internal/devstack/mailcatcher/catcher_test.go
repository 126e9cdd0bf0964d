package mailcatcher_test

import (
	"context"
	"errors"
	"net"
	"net/smtp"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
)

func TestCatcher_Messages(t *testing.T) {
	t.Parallel()
	const multipart = "From: =?utf-8?q?S=C3=B8ren?= <s@sender.example>\r\nTo: One <one@clinic.example>, two@clinic.example\r\n" +
		"Subject: =?utf-8?b?w4ZydGU=?=\r\nMime-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n" +
		"--a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nbl=E5b=E6r=\r\n!\r\n" +
		"--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+aGk8L2I+\r\n--b--\r\n" +
		"--a\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=\"report.txt\"\r\n\r\nnumbers\r\n--a--\r\n"
	for name, c := range map[string]struct {
		content string
		want    mailcatcher.Message
	}{
		"Simple": {simpleMessage, mailcatcher.Message{From: "ann@sender.example", FromName: "Ann", Subject: "Hello",
			MessageID: "1@sender.example", Text: "First line\n.second\n", Types: []string{"text/plain"}}},
		"Multipart": {multipart, mailcatcher.Message{From: "s@sender.example", FromName: "Søren", Subject: "Ærte",
			Text: "blåbær!", HTML: "<b>hi</b>", Attachments: []string{"report.txt"},
			Types: []string{"multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/plain"}}},
		"NoHeader":       {"\r\nbody only\r\n", mailcatcher.Message{From: "bounce@sender.example", Text: "body only\n", Types: []string{"text/plain"}}},
		"UnknownCharset": {"Content-Type: text/plain; charset=martian\r\n\r\nhello\r\n", mailcatcher.Message{From: "bounce@sender.example", Text: "hello\n", Types: []string{"text/plain"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			catcher := start(t, mailcatcher.Options{})
			if err := send(catcher, nil, c.content); err != nil {
				t.Fatal(err)
			}
			m := catcher.Messages()[0]
			if !slices.Equal(m.To, []string{"one@clinic.example", "two@clinic.example"}) || m.EnvelopeFrom != "bounce@sender.example" || m.Number != 1 || m.Received.IsZero() {
				t.Errorf("envelope: to %q, from %q, number %d, at %v", m.To, m.EnvelopeFrom, m.Number, m.Received)
			}
			w := c.want
			if m.From != w.From || m.FromName != w.FromName || m.Subject != w.Subject || m.MessageID != w.MessageID || m.ParseError != "" {
				t.Errorf("header: %+v", m)
			}
			if m.Text != w.Text || m.HTML != w.HTML || !slices.Equal(m.Types, w.Types) || !slices.Equal(m.Attachments, w.Attachments) {
				t.Errorf("body: %q, %q, %q, %q", m.Text, m.HTML, m.Types, m.Attachments)
			}
		})
	}
	t.Run("KeepsUnreadableMessage", func(t *testing.T) {
		t.Parallel()
		catcher := start(t, mailcatcher.Options{})
		content := "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n"
		if err := send(catcher, nil, content); err != nil {
			t.Fatal(err)
		}
		if m := catcher.Messages()[0]; m.ParseError == "" || m.Text != content || m.Raw != content {
			t.Errorf("problem %q, text %q", m.ParseError, m.Text)
		}
	})
	t.Run("ResetDeletesMessages", func(t *testing.T) {
		t.Parallel()
		catcher := start(t, mailcatcher.Options{})
		if err := send(catcher, nil, simpleMessage); err != nil {
			t.Fatal(err)
		}
		catcher.Reset()
		if n := len(catcher.Messages()); n != 0 {
			t.Errorf("%d messages remain", n)
		}
	})
}

func TestCatcher_AwaitMessages(t *testing.T) {
	t.Parallel()
	catcher := start(t, mailcatcher.Options{})
	failed := make(chan error, 1)
	go func() { failed <- errors.Join(send(catcher, nil, simpleMessage), send(catcher, nil, simpleMessage)) }()
	messages, err := catcher.Await(t.Context(), 2)
	if err != nil || len(messages) != 2 || messages[1].Number != 2 {
		t.Errorf("%d messages, error %v", len(messages), err)
	}
	if err := <-failed; err != nil {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if messages, err := catcher.Await(ended, 3); !errors.Is(err, context.Canceled) || len(messages) != 2 {
		t.Errorf("%d messages, error %v", len(messages), err)
	}
}

func TestCatcher_Login(t *testing.T) {
	t.Parallel()
	catcher := start(t, mailcatcher.Options{TLS: mailcatcher.TLSStart, Username: "u", Password: "p"})
	wantCode(t, send(catcher, nil, simpleMessage), 530)
	wantCode(t, send(catcher, smtp.PlainAuth("", "u", "wrong", catcher.SMTPHost()), simpleMessage), 535)
	if err := send(catcher, smtp.PlainAuth("", "u", "p", catcher.SMTPHost()), simpleMessage); err != nil {
		t.Fatal(err)
	}
	if m := catcher.Messages(); len(m) != 1 || m[0].Username != "u" || !m[0].Encrypted {
		t.Errorf("caught %+v", m)
	}
}

func TestCatcher_RequiresSTARTTLS(t *testing.T) {
	t.Parallel()
	catcher := start(t, mailcatcher.Options{TLS: mailcatcher.TLSStart})
	client, err := smtp.Dial(address(catcher))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	wantCode(t, client.Mail("a@sender.example"), 530)
}

func TestCatcher_InjectsFaults(t *testing.T) {
	t.Parallel()
	t.Run("RejectsThatManyTimes", func(t *testing.T) {
		t.Parallel()
		catcher := start(t, mailcatcher.Options{})
		catcher.RejectRecipients(451, "later", 2)
		wantCode(t, send(catcher, nil, simpleMessage), 451)
		wantCode(t, send(catcher, nil, simpleMessage), 451)
		if err := send(catcher, nil, simpleMessage); err != nil {
			t.Error(err)
		}
	})
	t.Run("NegativeRejectsUntilReset", func(t *testing.T) {
		t.Parallel()
		catcher := start(t, mailcatcher.Options{})
		catcher.RejectContent(554, "never", -1)
		for range 3 {
			wantCode(t, send(catcher, nil, simpleMessage), 554)
		}
		catcher.Reset()
		if err := send(catcher, nil, simpleMessage); err != nil {
			t.Error(err)
		}
	})
	t.Run("DropKeepsMessage", func(t *testing.T) {
		t.Parallel()
		catcher := start(t, mailcatcher.Options{})
		catcher.DropConnectionAfterAccept(1)
		if err := send(catcher, nil, simpleMessage); err == nil {
			t.Error("the client got an answer")
		}
		if n := len(catcher.Messages()); n != 1 {
			t.Errorf("%d messages, want the one that was accepted", n)
		}
	})
	t.Run("HoldsAccumulate", func(t *testing.T) {
		t.Parallel()
		catcher := start(t, mailcatcher.Options{})
		first, second := catcher.StopResponding(), catcher.StopResponding()
		done := make(chan error, 1)
		go func() { done <- send(catcher, nil, simpleMessage) }()
		first()
		first() // Once counts.
		select {
		case err := <-done:
			t.Fatalf("answered while held: %v", err)
		default:
		}
		second()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Run("CloseEndsHold", func(t *testing.T) {
		t.Parallel()
		catcher := start(t, mailcatcher.Options{})
		catcher.StopResponding()
		conn, err := net.Dial("tcp", address(catcher))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if err := catcher.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestStart_RejectsInvalidOptions(t *testing.T) {
	t.Parallel()
	occupied := start(t, mailcatcher.Options{})
	for name, o := range map[string]mailcatcher.Options{
		"UnknownTLS": {TLS: "maybe"},
		"TakenSMTP":  {SMTPAddr: address(occupied)},
		"TakenHTTP":  {HTTPAddr: strings.TrimPrefix(occupied.URL(), "http://")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c, err := mailcatcher.Start(t.Context(), o); err == nil {
				_ = c.Close()
				t.Error("it started")
			}
		})
	}
}

func wantCode(t *testing.T, err error, code int) {
	t.Helper()
	var answer *textproto.Error
	if !errors.As(err, &answer) || answer.Code != code {
		t.Errorf("error %v, want code %d", err, code)
	}
}
