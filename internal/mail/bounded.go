package mail

import (
	"errors"
	"net"
)

// maxConversation is how many bytes a server may send in one session, TLS included. A
// session has some kilobytes. The library reads a line, and the lines of one reply, without
// a limit.
const maxConversation = 256 << 10

var errConversationTooLong = errors.New("the server sent more than 256 kB in one session")

// boundedConn ends a session in which the server sends too much.
type boundedConn struct {
	net.Conn
	left int
}

// Read implements net.Conn.
func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errConversationTooLong
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
