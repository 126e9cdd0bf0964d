// Package mailtest has an SMTP server that does at each point of a conversation what a test
// says: it hangs, cuts the connection, or answers with anything. For tests alone.
package mailtest

import (
	"bufio"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
)

// Point is a point of a conversation at which a test can act.
type Point int

// The points of a conversation.
const (
	Greeting Point = iota // Before the server's first line.
	Data                  // Before the answer to DATA.
	Dot                   // After the final dot, before its answer.
	Ended                 // After the conversation; what the action returns changes nothing.
)

// Action is what the server does at a point. False ends the connection, without an answer.
type Action func(conn net.Conn) (goOn bool)

// Server is the server. It has neither TLS nor a login.
type Server struct {
	listener net.Listener
	stopped  chan struct{}
	wg       sync.WaitGroup

	mu      sync.Mutex
	actions map[Point]Action
	reached map[Point]int
	changed chan struct{} // Closed and replaced when reached changes.
	ids     []string
}

// Start starts a server, which ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{listener: listener, stopped: make(chan struct{}), actions: map[Point]Action{}, reached: map[Point]int{}, changed: make(chan struct{})}
	s.wg.Go(s.serve)
	t.Cleanup(func() {
		close(s.stopped)
		_ = listener.Close()
		s.wg.Wait()
	})
	return s
}

// Port is the server's port on 127.0.0.1.
func (s *Server) Port() int {
	address, _ := s.listener.Addr().(*net.TCPAddr)
	return address.Port
}

// At sets what the server does at a point, in conversations that reach it from now on. Nil:
// nothing but the usual answer.
func (s *Server) At(p Point, a Action) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.actions[p] = a
}

// Hang waits until release is closed, or the test ends.
func (s *Server) Hang(release <-chan struct{}) Action {
	return func(net.Conn) bool {
		select {
		case <-release:
			return true
		case <-s.stopped:
			return false
		}
	}
}

// Cut ends the connection.
func Cut(net.Conn) bool { return false }

// Reply answers with a line instead of the usual one.
func Reply(line string) Action {
	return func(conn net.Conn) bool {
		_, _ = io.WriteString(conn, line+"\r\n")
		return false
	}
}

// Copies are the Message-IDs of the mails whose final dot the server got.
func (s *Server) Copies() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.ids...)
}

// Await waits until a conversation has reached a point, in all n times.
func (s *Server) Await(t testing.TB, p Point, n int) {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		s.mu.Lock()
		reached, changed := s.reached[p], s.changed
		s.mu.Unlock()
		if reached >= n {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("%d conversations reached the point, want %d", reached, n)
		}
	}
}

func (s *Server) serve() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.wg.Go(func() {
			done := make(chan struct{})
			s.wg.Go(func() {
				select {
				case <-s.stopped:
				case <-done:
				}
				_ = conn.Close()
			})
			defer close(done)
			s.converse(conn)
		})
	}
}

// act does what the test says at a point.
func (s *Server) act(p Point, conn net.Conn) (goOn bool) {
	s.mu.Lock()
	s.reached[p]++
	close(s.changed)
	s.changed = make(chan struct{})
	action := s.actions[p]
	s.mu.Unlock()
	return action == nil || action(conn)
}

func (s *Server) converse(conn net.Conn) {
	defer s.act(Ended, conn)
	if !s.act(Greeting, conn) {
		return
	}
	answer := func(line string) { _, _ = io.WriteString(conn, line+"\r\n") }
	answer("220 ready")
	lines := textproto.NewReader(bufio.NewReader(conn))
	for {
		line, err := lines.ReadLine()
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(strings.ToUpper(line), " "); verb {
		case "DATA":
			if !s.act(Data, conn) {
				return
			}
			answer("354 go on")
			if !s.message(lines) || !s.act(Dot, conn) {
				return
			}
			answer("250 2.0.0 taken")
		case "QUIT":
			answer("221 bye")
			return
		default:
			answer("250 ok")
		}
	}
}

// message reads a mail up to the final dot, and keeps its Message-ID.
func (s *Server) message(lines *textproto.Reader) bool {
	id, folded := "", false
	for {
		line, err := lines.ReadLine()
		if err != nil {
			return false
		}
		if line == "." {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		switch {
		case folded:
			id, folded = strings.TrimSpace(line), false
		case strings.EqualFold(name, "Message-ID"):
			id = strings.TrimSpace(value)
			folded = id == "" // A long header continues on the next line.
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids = append(s.ids, id)
	return true
}
