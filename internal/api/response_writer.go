package api

import (
	"net/http"
	"time"
)

// responseWriter records the status of a response and sets deadlines for its writes.
type responseWriter struct {
	http.ResponseWriter
	controller   *http.ResponseController
	writeTimeout time.Duration // For the client to read what is written.
	status       int
}

func newResponseWriter(w http.ResponseWriter, writeTimeout time.Duration) *responseWriter {
	return &responseWriter{ResponseWriter: w, controller: http.NewResponseController(w), writeTimeout: writeTimeout}
}

// WriteHeader starts the response and its write deadline. The next response on the
// connection gets a new deadline.
func (w *responseWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		w.extendWriteDeadline()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Status is the status of the response, 0 before it has started.
func (w *responseWriter) Status() int { return w.status }

// Flush sends what is written.
func (w *responseWriter) Flush() error { return w.controller.Flush() }

// extendWriteDeadline restarts the write timeout.
func (w *responseWriter) extendWriteDeadline() {
	_ = w.controller.SetWriteDeadline(time.Now().Add(w.writeTimeout)) // Fails only for a test recorder.
}
