package limits

import (
	"net/http"
	"time"
)

// ResponseWriter records the status of a response and sets deadlines for its writes.
type ResponseWriter struct {
	http.ResponseWriter
	controller   *http.ResponseController
	writeTimeout time.Duration // Time for the client to read what was written.
	status       int
}

// NewResponseWriter wraps the writer of a request.
func NewResponseWriter(w http.ResponseWriter, writeTimeout time.Duration) *ResponseWriter {
	return &ResponseWriter{ResponseWriter: w, controller: http.NewResponseController(w), writeTimeout: writeTimeout}
}

// WriteHeader starts the response and its write deadline. The next response on the
// connection gets a new deadline.
func (w *ResponseWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		w.ExtendWriteDeadline()
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

// ExtendWriteDeadline restarts the write timeout.
func (w *ResponseWriter) ExtendWriteDeadline() {
	_ = w.controller.SetWriteDeadline(time.Now().Add(w.writeTimeout)) // Fails only for a test recorder.
}
