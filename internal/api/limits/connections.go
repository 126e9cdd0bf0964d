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
// closed for the next one. When all connections have a request, a new one waits.
type connLimiter struct {
	limit int

	mu      sync.Mutex
	changed *sync.Cond
	conns   map[net.Conn]*trackedConn
	idle    *list.List // Of net.Conn: those without a request, longest idle first.
}

// trackedConn is one connection. Its place is nil while it has a request.
type trackedConn struct {
	conn        net.Conn
	idleElement *list.Element
}

type trackedConnKey struct{}

// Connections limits the number of connections of a server.
func Connections(server *http.Server, limit int) {
	l := newConnLimiter(limit)
	server.Handler = l.middleware(server.Handler)
	server.ConnContext, server.ConnState = l.connContext, l.connStateChanged
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
	tracked := &trackedConn{conn: conn}
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

// middleware marks the connections that have a request. A connection without complete
// request headers counts as idle.
func (l *connLimiter) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tracked, ok := r.Context().Value(trackedConnKey{}).(*trackedConn); ok {
			l.markActive(tracked)
			defer l.markIdle(tracked)
		}
		next.ServeHTTP(w, r)
	})
}

func (l *connLimiter) markActive(tracked *trackedConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if tracked.idleElement != nil && l.conns[tracked.conn] == tracked {
		l.idle.Remove(tracked.idleElement)
		tracked.idleElement = nil
	}
}

func (l *connLimiter) markIdle(tracked *trackedConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if tracked.idleElement == nil && l.conns[tracked.conn] == tracked {
		tracked.idleElement = l.idle.PushBack(tracked.conn)
		l.changed.Broadcast()
	}
}
