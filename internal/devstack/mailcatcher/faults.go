package mailcatcher

import (
	"net"
	"sync"
)

// faults is how the catcher is to misbehave.
type faults struct {
	recipients, contents quota

	mu    sync.Mutex
	drops int
	held  int
	open  chan struct{} // Closed while nobody holds.
	hook  func()
}

func (f *faults) init() {
	f.open = make(chan struct{})
	close(f.open)
}

// quota is a refusal that is given a number of times.
type quota struct {
	mu      sync.Mutex
	left    int
	code    int
	message string
}

func (q *quota) set(code int, message string, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.code, q.message, q.left = code, message, n
}

func (q *quota) take() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.left == 0 {
		return nil
	}
	if q.left > 0 {
		q.left--
	}
	return refusal(q.code, q.message)
}

// Refuse answers the next n recipients (RCPT TO) with code and message, such as
// 451 for a passing and 554 for a lasting fault. A negative n refuses until the
// next call; 0 ends it.
func (c *Catcher) Refuse(code int, message string, n int) { c.faults.recipients.set(code, message, n) }

// RefuseContent is like Refuse, for the answer to the message itself (DATA).
func (c *Catcher) RefuseContent(code int, message string, n int) {
	c.faults.contents.set(code, message, n)
}

// DropAfterAccept cuts the connection of the next n messages after they were
// caught and before the client hears of it.
func (c *Catcher) DropAfterAccept(n int) {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.drops = n
}

// OnRecipient calls hook, once, when a client has named its next recipient and
// waits for the answer.
func (c *Catcher) OnRecipient(hook func()) {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.hook = hook
}

func (f *faults) recipient() error {
	f.mu.Lock()
	hook := f.hook
	f.hook = nil
	f.mu.Unlock()
	if hook != nil {
		hook()
	}
	return f.recipients.take()
}

func (f *faults) cut() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.drops == 0 {
		return false
	}
	f.drops--
	return true
}

// Hold makes the catcher silent: it accepts connections and reads, and answers
// nothing until release is called, once or more. Holds add up.
func (c *Catcher) Hold() (release func()) {
	f := &c.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held == 0 {
		f.open = make(chan struct{})
	}
	f.held++
	gate := f.open
	return sync.OnceFunc(func() { f.release(gate) })
}

func (f *faults) release(gate chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open != gate || f.held == 0 {
		return // Reset was faster.
	}
	if f.held--; f.held == 0 {
		close(f.open)
	}
}

func (f *faults) gate() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open
}

func (f *faults) end() {
	f.recipients.set(0, "", 0)
	f.contents.set(0, "", 0)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drops, f.hook = 0, nil
	if f.held > 0 {
		f.held = 0
		close(f.open)
	}
}

// gatedListener is a listener whose connections Hold can silence.
type gatedListener struct {
	net.Listener
	faults *faults
}

// Accept makes a connection that Hold can silence.
func (l *gatedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &gatedConn{Conn: conn, faults: l.faults, closed: make(chan struct{})}, nil
}

type gatedConn struct {
	net.Conn
	faults *faults
	once   sync.Once
	closed chan struct{}
}

// Write waits while somebody holds.
func (c *gatedConn) Write(p []byte) (int, error) {
	select {
	case <-c.faults.gate():
		return c.Conn.Write(p)
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

// Close also ends a Write that waits.
func (c *gatedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
