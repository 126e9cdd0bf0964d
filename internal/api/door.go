package api

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
)

// door bounds how many connections there are, so that those who send nothing
// neither use up the memory nor shut others out: at the limit, the connection
// that has waited longest for its caller to say something makes room for the next.
// Only when all of them are at work is nobody let in until one has done.
type door struct {
	limit int

	mu     sync.Mutex
	change *sync.Cond
	all    map[net.Conn]*visitor
	idle   *list.List // Of net.Conn: those without a request, the longest waiting in front.
}

// visitor is one connection. Its place is nil while it has a request.
type visitor struct {
	conn  net.Conn
	place *list.Element
}

type visitorKey struct{}

func newDoor(limit int) *door {
	d := &door{limit: limit, all: map[net.Conn]*visitor{}, idle: list.New()}
	d.change = sync.NewCond(&d.mu)
	return d
}

// enter lets a connection in. It is called where connections are accepted, so
// whoever has to wait does so there.
func (d *door) enter(ctx context.Context, conn net.Conn) context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.all) >= d.limit && !d.makeRoom() {
		d.change.Wait()
	}
	v := &visitor{conn: conn}
	v.place = d.idle.PushBack(conn)
	d.all[conn] = v
	return context.WithValue(ctx, visitorKey{}, v)
}

// makeRoom closes the connection that has waited longest.
func (d *door) makeRoom() bool {
	front := d.idle.Front()
	if front == nil {
		return false
	}
	conn, ok := front.Value.(net.Conn)
	if ok {
		d.remove(conn)
		_ = conn.Close() // Its reader ends, and with it the rest.
	}
	return ok
}

func (d *door) remove(conn net.Conn) {
	v := d.all[conn]
	if v == nil {
		return
	}
	delete(d.all, conn)
	if v.place != nil {
		d.idle.Remove(v.place)
	}
	d.change.Broadcast()
}

// leave is told of what becomes of connections.
func (d *door) leave(conn net.Conn, state http.ConnState) {
	if state != http.StateClosed && state != http.StateHijacked {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove(conn)
}

// guard marks connections that have a request. One whose head has not arrived
// whole has none yet.
func (d *door) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if v, ok := r.Context().Value(visitorKey{}).(*visitor); ok {
			d.busy(v)
			defer d.rest(v)
		}
		next.ServeHTTP(w, r)
	})
}

func (d *door) busy(v *visitor) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if v.place != nil && d.all[v.conn] == v {
		d.idle.Remove(v.place)
		v.place = nil
	}
}

func (d *door) rest(v *visitor) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if v.place == nil && d.all[v.conn] == v {
		v.place = d.idle.PushBack(v.conn)
		d.change.Broadcast()
	}
}
