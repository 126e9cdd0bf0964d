package api

import (
	"net/http"
	"time"
)

// answer watches what is written to a caller, and gives up one that does not read.
type answer struct {
	http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration // For the caller to take in what is written.
	status   int
}

func newAnswer(w http.ResponseWriter, patience time.Duration) *answer {
	return &answer{ResponseWriter: w, control: http.NewResponseController(w), patience: patience}
}

// WriteHeader begins the answer. From now on there is a time by which it has to
// be taken in; the connection's next answer gets a new one.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
		a.wait()
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// wait gives the caller his time to take in what is written next.
func (a *answer) wait() {
	_ = a.control.SetWriteDeadline(time.Now().Add(a.patience)) // Only a recorder of tests has no connection.
}
