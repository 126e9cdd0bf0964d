package limits

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
)

// connLimiter limits the number of connections, so that idle ones neither exhaust memory
// nor block other clients: at the limit, the connection that has been idle longest is
// closed for the next one. A connection is idle unless Hold was called for its request: also
// one whose request or response is incomplete. When all connections are held, a new one
// waits.
type connLimiter struct {
	limit int

	mu      sync.Mutex
	changed *sync.Cond
	conns   map[net.Conn]*trackedConn
	idle    *list.List // Of net.Conn: those that are not held, longest idle first.
}

// trackedConn is one connection. Its place is nil while it is held.
type trackedConn struct {
	limiter     *connLimiter
	conn        net.Conn
	idleElement *list.Element
}

type trackedConnKey struct{}

// limitConnections limits the number of connections of a server.
func limitConnections(server *http.Server, limit int) {
	l := newConnLimiter(limit)
	server.ConnContext, server.ConnState = l.connContext, l.connStateChanged
}

// Hold keeps the connection of a request from being closed for another one until release is
// called. ctx is the request's. The caller limits how many are held at once.
func Hold(ctx context.Context) (release func()) {
	tracked, ok := ctx.Value(trackedConnKey{}).(*trackedConn)
	if !ok {
		return func() {}
	}
	tracked.limiter.hold(tracked)
	return func() { tracked.limiter.release(tracked) }
}

func newConnLimiter(limit int) *connLimiter {
	l := &connLimiter{limit: limit, conns: map[net.Conn]*trackedConn{}, idle: list.New()}
	l.changed = sync.NewCond(&l.mu)
	return l
}

// connContext admits a connection. http.Server calls it in its accept loop, so a connection
// over the limit blocks that loop.
func (l *connLimiter) connContext(ctx context.Context, conn net.Conn) context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.conns) >= l.limit && !l.evictIdle() {
		l.changed.Wait()
	}
	tracked := &trackedConn{limiter: l, conn: conn}
	tracked.idleElement = l.idle.PushBack(conn)
	l.conns[conn] = tracked
	return context.WithValue(ctx, trackedConnKey{}, tracked)
}

// evictIdle closes the connection that has been idle longest.
func (l *connLimiter) evictIdle() bool {
	front := l.idle.Front()
	if front == nil {
		return false
	}
	conn, ok := front.Value.(net.Conn)
	if ok {
		l.remove(conn)
		_ = conn.Close() // Its reader fails and http.Server cleans up.
	}
	return ok
}

func (l *connLimiter) remove(conn net.Conn) {
	tracked := l.conns[conn]
	if tracked == nil {
		return
	}
	delete(l.conns, conn)
	if tracked.idleElement != nil {
		l.idle.Remove(tracked.idleElement)
	}
	l.changed.Broadcast()
}

// connStateChanged is the ConnState hook of http.Server.
func (l *connLimiter) connStateChanged(conn net.Conn, state http.ConnState) {
	if state != http.StateClosed && state != http.StateHijacked {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(conn)
}

func (l *connLimiter) hold(tracked *trackedConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if tracked.idleElement != nil && l.conns[tracked.conn] == tracked {
		l.idle.Remove(tracked.idleElement)
		tracked.idleElement = nil
	}
}

func (l *connLimiter) release(tracked *trackedConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if tracked.idleElement == nil && l.conns[tracked.conn] == tracked {
		tracked.idleElement = l.idle.PushBack(tracked.conn)
		l.changed.Broadcast()
	}
}
