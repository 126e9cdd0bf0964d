package testenv

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
)

// maxMessage is the longest message of a client that ProxyMessages forwards.
const maxMessage = 1 << 24

// ProxyMessages starts a proxy before a database, until the test ends, and returns the
// database's URL through it. connected is called for each connection of a client. handle is
// then called with the type and the body of each message before it is forwarded, but for
// the first, which has no type; closed at the end of the connection.
func ProxyMessages(t testing.TB, database string, connected func() (handle func(kind byte, body []byte), closed func())) string {
	t.Helper()
	listener, through, server := ListenBefore(t, database)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go forwardMessages(client, server, connected)
		}
	}()
	return through.String()
}

func forwardMessages(client net.Conn, address string, connected func() (func(byte, []byte), func())) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	handle, closed := connected()
	defer closed()
	go func() { _, _ = io.Copy(client, server) }()
	for head := make([]byte, 4); ; head = make([]byte, 5) { // The first message has no type.
		body, err := readBody(client, head)
		if err != nil {
			return
		}
		if len(head) == 5 {
			handle(head[0], body)
		}
		if _, err := server.Write(slices.Concat(head, body)); err != nil {
			return
		}
	}
}

// readBody reads the head of a message, which ends with its length, and returns the body.
func readBody(from io.Reader, head []byte) ([]byte, error) {
	if _, err := io.ReadFull(from, head); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head[len(head)-4:])
	if length < 4 || length > maxMessage {
		return nil, fmt.Errorf("a message of %d bytes", length)
	}
	body := make([]byte, length-4)
	_, err := io.ReadFull(from, body)
	return body, err
}
