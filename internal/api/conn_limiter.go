package api

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
)

// connLimiter bounds how many connections there are, so that those who send nothing
// neither use up the memory nor shut others out: at the limit, the connection
// that has waited longest for its caller to say something makes room for the next.
// Only when all of them are at work is nobody let in until one has done.
type connLimiter struct {
	limit int

	mu      sync.Mutex
	changed *sync.Cond
	conns   map[net.Conn]*trackedConn
	idle    *list.List // Of net.Conn: those without a request, the longest waiting in front.
}

// trackedConn is one connection. Its place is nil while it has a request.
type trackedConn struct {
	conn        net.Conn
	idleElement *list.Element
}

type trackedConnKey struct{}

func newConnLimiter(limit int) *connLimiter {
	l := &connLimiter{limit: limit, conns: map[net.Conn]*trackedConn{}, idle: list.New()}
	l.changed = sync.NewCond(&l.mu)
	return l
}

// connContext lets a connection in. It is called where connections are accepted, so
// whoever has to wait does so there.
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

// evictIdle closes the connection that has waited longest.
func (l *connLimiter) evictIdle() bool {
	front := l.idle.Front()
	if front == nil {
		return false
	}
	conn, ok := front.Value.(net.Conn)
	if ok {
		l.remove(conn)
		_ = conn.Close() // Its reader ends, and with it the rest.
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

// connStateChanged is told of what becomes of connections.
func (l *connLimiter) connStateChanged(conn net.Conn, state http.ConnState) {
	if state != http.StateClosed && state != http.StateHijacked {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(conn)
}

// middleware marks connections that have a request. One whose head has not arrived
// whole has none yet.
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
