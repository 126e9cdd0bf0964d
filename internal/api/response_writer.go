package api

import (
	"net/http"
	"time"
)

// responseWriter watches what is written to a caller, and gives up one that does not read.
type responseWriter struct {
	http.ResponseWriter
	controller   *http.ResponseController
	writeTimeout time.Duration // For the caller to take in what is written.
	status       int
}

func newResponseWriter(w http.ResponseWriter, writeTimeout time.Duration) *responseWriter {
	return &responseWriter{ResponseWriter: w, controller: http.NewResponseController(w), writeTimeout: writeTimeout}
}

// WriteHeader begins the answer. From now on there is a time by which it has to
// be taken in; the connection's next answer gets a new one.
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

// Unwrap lets http.ResponseController find the connection.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// extendWriteDeadline gives the caller his time to take in what is written next.
func (w *responseWriter) extendWriteDeadline() {
	_ = w.controller.SetWriteDeadline(time.Now().Add(w.writeTimeout)) // Only a recorder of tests has no connection.
}
