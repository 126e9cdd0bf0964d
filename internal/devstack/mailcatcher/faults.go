package mailcatcher

import (
	"net"
	"sync"
)

// faults is the injected misbehaviour.
type faults struct {
	recipientQuota, contentQuota errorQuota

	mu            sync.Mutex
	drops         int
	holds         int
	released      chan struct{} // Closed while no hold is active.
	recipientHook func()
}

func (f *faults) init() {
	f.released = make(chan struct{})
	close(f.released)
}

// errorQuota is an SMTP error that is returned a number of times.
type errorQuota struct {
	mu        sync.Mutex
	remaining int
	code      int
	message   string
}

func (q *errorQuota) set(code int, message string, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.code, q.message, q.remaining = code, message, n
}

func (q *errorQuota) consume() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.remaining == 0 {
		return nil
	}
	if q.remaining > 0 {
		q.remaining--
	}
	return smtpError(q.code, q.message)
}

// RejectRecipients rejects the next n recipients (RCPT TO) with code and message, for
// example 451 for a transient and 554 for a permanent error. A negative n rejects until
// the next call; 0 ends it.
func (c *Catcher) RejectRecipients(code int, message string, n int) {
	c.faults.recipientQuota.set(code, message, n)
}

// RejectContent is like RejectRecipients, for the response to the message itself (DATA).
func (c *Catcher) RejectContent(code int, message string, n int) {
	c.faults.contentQuota.set(code, message, n)
}

// DropConnectionAfterAccept closes the connection of the next n messages after they were
// stored and before the client gets a response.
func (c *Catcher) DropConnectionAfterAccept(n int) {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.drops = n
}

// OnNextRecipient calls hook once, when a client has sent its next recipient and waits
// for the response.
func (c *Catcher) OnNextRecipient(hook func()) {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.recipientHook = hook
}

func (f *faults) onRecipient() error {
	f.mu.Lock()
	hook := f.recipientHook
	f.recipientHook = nil
	f.mu.Unlock()
	if hook != nil {
		hook()
	}
	return f.recipientQuota.consume()
}

func (f *faults) shouldDrop() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.drops == 0 {
		return false
	}
	f.drops--
	return true
}

// StopResponding makes the catcher unresponsive: it accepts connections and reads, but
// sends nothing until release is called, once or more. Concurrent holds add up.
func (c *Catcher) StopResponding() (release func()) {
	f := &c.faults
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.holds == 0 {
		f.released = make(chan struct{})
	}
	f.holds++
	gate := f.released
	return sync.OnceFunc(func() { f.releaseHold(gate) })
}

func (f *faults) releaseHold(gate chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.released != gate || f.holds == 0 {
		return // Reset has released it already.
	}
	if f.holds--; f.holds == 0 {
		close(f.released)
	}
}

func (f *faults) waitChannel() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.released
}

func (f *faults) reset() {
	f.recipientQuota.set(0, "", 0)
	f.contentQuota.set(0, "", 0)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drops, f.recipientHook = 0, nil
	if f.holds > 0 {
		f.holds = 0
		close(f.released)
	}
}

// holdableListener is a listener whose connections StopResponding can block.
type holdableListener struct {
	net.Listener
	faults *faults
}

// Accept returns a connection that StopResponding can block.
func (l *holdableListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &holdableConn{Conn: conn, faults: l.faults, closed: make(chan struct{})}, nil
}

type holdableConn struct {
	net.Conn
	faults *faults
	once   sync.Once
	closed chan struct{}
}

// Write waits while a hold is active.
func (c *holdableConn) Write(p []byte) (int, error) {
	select {
	case <-c.faults.waitChannel():
		return c.Conn.Write(p)
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

// Close also ends a waiting Write.
func (c *holdableConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
