package mail

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
)

// connection dials for one SMTP session and closes the connection when its context ends.
// The library checks the context only until TCP is connected, holds a lock while it waits
// for a response, and does not close the connection when a greeting or a login fails.
type connection struct {
	implicitTLS *tls.Config // Not nil: TLS from the first byte.

	mu   sync.Mutex
	conn net.Conn
}

func (c *connection) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	conn = &boundedConn{Conn: conn, left: maxConversation}
	c.conn = conn
	if c.implicitTLS == nil {
		return conn, nil
	}
	tlsConn := tls.Client(conn, c.implicitTLS)
	if err := tlsConn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return tlsConn, nil
}

// close closes the connection during a read or write, which net.Conn permits.
func (c *connection) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		_ = c.conn.Close() // The session is over: the error changes nothing.
	}
}
