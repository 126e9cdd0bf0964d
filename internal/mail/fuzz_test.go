package mail_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail"
)

// FuzzSMTPReplies: a mail server that answers with any lines ends no program, holds none
// for longer than the time-outs, and its text in the message of the error is bounded.
func FuzzSMTPReplies(f *testing.F) {
	for _, seed := range []string{
		"220 hi\n250 ok\n250 ok\n250 ok\n354 go\n250 taken\n221 bye", "220 hi\n550 own words", "421 later", "220-a\n220-b\n220 c\n502 no",
		"220 x\n250-STARTTLS\n250 AUTH PLAIN\n", "999", "", "220", "\x00\xff\n", "220 hi\n250 ok\n250 ok\n452 full", "-1 x\n", "220 " + strings.Repeat("a", 5000),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, script string) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Skip(err) // No port is free: thousands of connections are just closing.
		}
		served := make(chan struct{})
		go func() {
			defer close(served)
			serveReplies(listener, strings.Split(script, "\n"))
		}()
		defer func() { _ = listener.Close(); <-served }()
		address, _ := listener.Addr().(*net.TCPAddr)
		m, err := mail.New(mail.Options{
			Mail:       config.Mail{Host: "127.0.0.1", Port: address.Port, From: "no-reply@platform.example", TLS: config.TLSNone, AppURL: "https://app.platform.example"},
			DotTimeout: 200 * time.Millisecond, AnswerTimeout: 200 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err = m.SendWelcome(ctx, welcomeMail(testTenant()), patient)
		if ctx.Err() != nil {
			t.Fatalf("%q held the program: %v", script, err)
		}
		kind, message := errs.KindOf(err), errs.SafeMessage(err)
		if err != nil && (kind != errs.KindTransient && kind != errs.KindPermanent ||
			utf8.RuneCountInString(err.Error()) > 2*errs.MaxErrorLength || strings.ContainsFunc(message, unicode.IsControl)) {
			t.Errorf("%q: %s %v", script, kind, err)
		}
	})
}

// serveReplies answers the greeting and each line of one client with the next reply, then
// hangs up.
func serveReplies(listener net.Listener, replies []string) {
	conn, err := listener.Accept()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	buffer := make([]byte, 1<<16)
	for _, reply := range replies {
		if _, err := conn.Write([]byte(reply + "\r\n")); err != nil {
			return
		}
		if strings.HasPrefix(reply, "220-") || strings.HasPrefix(reply, "250-") {
			continue
		}
		if _, err := conn.Read(buffer); err != nil {
			return
		}
	}
}
