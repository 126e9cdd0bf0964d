package limits

import (
	"net/http"
	"sync"
	"time"
)

// unreadBodyTimeout is the time for the rest of a request body that nobody reads: then the
// connection is closed. A client that sends all before it reads the response needs it.
const unreadBodyTimeout = 500 * time.Millisecond

// ResponseWriter records the status of a response and sets deadlines for its writes. If the
// request's body has not been read when the response starts, the response is the last one on
// its connection, which closes within unreadBodyTimeout after it: otherwise net/http waits
// for the body before it sends the response.
type ResponseWriter struct {
	http.ResponseWriter
	controller   *http.ResponseController
	writeTimeout time.Duration // Time for the client to read what was written.
	status       int
	bodyUnread   bool

	mu    sync.Mutex
	final bool // The write deadline is not extended any more.
}

// NewResponseWriter wraps the writer of a request.
func NewResponseWriter(w http.ResponseWriter, r *http.Request, writeTimeout time.Duration) *ResponseWriter {
	return &ResponseWriter{
		ResponseWriter: w, controller: http.NewResponseController(w), writeTimeout: writeTimeout,
		bodyUnread: r.Body != nil && r.Body != http.NoBody,
	}
}

// BodyRead says that the whole body of the request was read.
func (w *ResponseWriter) BodyRead() { w.bodyUnread = false }

// WriteHeader starts the response and its write deadline. The next response on the
// connection gets a new deadline.
func (w *ResponseWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		w.ExtendWriteDeadline()
		if w.bodyUnread {
			w.Header().Set("Connection", "close")
			_ = w.controller.SetReadDeadline(time.Now().Add(unreadBodyTimeout)) // Fails only for a test recorder.
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *ResponseWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *ResponseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Status returns the status of the response, 0 before it has started.
func (w *ResponseWriter) Status() int { return w.status }

// Flush sends the buffered data.
func (w *ResponseWriter) Flush() error { return w.controller.Flush() }

// ExtendReadDeadline gives the client time from now to send the request's body.
func (w *ResponseWriter) ExtendReadDeadline(timeout time.Duration) {
	_ = w.controller.SetReadDeadline(time.Now().Add(timeout)) // Fails only for a test recorder.
}

// ExtendWriteDeadline restarts the write timeout.
func (w *ResponseWriter) ExtendWriteDeadline() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.final {
		_ = w.controller.SetWriteDeadline(time.Now().Add(w.writeTimeout)) // Fails only for a test recorder.
	}
}

// EndWrites makes all writes fail after a time, also one that is waiting for the client.
func (w *ResponseWriter) EndWrites(after time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.final = true
	_ = w.controller.SetWriteDeadline(time.Now().Add(after)) // Fails only for a test recorder.
}
