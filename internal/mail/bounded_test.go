package mail_test

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// endless is a reader that repeats a text and counts what was read.
type endless struct {
	text string
	read int64
}

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], e.text)
	}
	e.read += int64(n)
	return n, nil
}

// TestMailer_EndlessServer: a server that never ends a line or a reply gets no memory.
func TestMailer_EndlessServer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ first, then string }{
		"Greeting": {"", "x"},
		"Lines":    {"", "220-still here\r\n"},
		"EHLO":     {"220 ready\r\n", "250-EXTENSION\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = listener.Close() }()
			source, sent := &endless{text: c.then}, make(chan struct{})
			go func() {
				defer close(sent)
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				defer func() { _ = conn.Close() }()
				_, _ = io.WriteString(conn, c.first)
				_, _ = io.Copy(conn, source)
			}()
			b := setup(t, mailcatcher.Options{})
			b.options.Host, b.options.TLS = "127.0.0.1", config.TLSNone
			b.options.Port = portOf(t, listener)
			message := wantKind(t, b.sendWelcome(t), errs.KindTransient)
			if !strings.Contains(message, "sends more than a mail server does") {
				t.Error(message)
			}
			<-sent
			if source.read > 16<<20 { // The operating system's buffers, too.
				t.Errorf("%d bytes were read from it", source.read)
			}
		})
	}
}

func portOf(t *testing.T, listener net.Listener) int {
	t.Helper()
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("%T", listener.Addr())
	}
	return address.Port
}
