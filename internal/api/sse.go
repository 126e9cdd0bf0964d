package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// sseContentType is the media type of an event stream.
const sseContentType = "text/event-stream"

// sseWriter writes server-sent events (HTML standard, section 9.2) to one client. A client
// that does not read an event within the write timeout is disconnected.
type sseWriter struct {
	response *responseWriter
	buf      strings.Builder
}

// newSSEWriter writes the response headers.
func newSSEWriter(w *responseWriter) *sseWriter {
	s := &sseWriter{response: w}
	h := s.response.Header()
	h.Set("Content-Type", sseContentType)
	h.Set("X-Accel-Buffering", "no") // A proxy must forward events immediately.
	s.response.WriteHeader(http.StatusOK)
	return s
}

// send writes one event, without an id for id 0. An error means that the client is gone.
func (s *sseWriter) send(name string, id int64, data any) error {
	encoded, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if id != 0 {
		s.buf.WriteString("id: " + strconv.FormatInt(id, 10) + "\n")
	}
	s.buf.WriteString("event: " + name + "\ndata: ")
	s.buf.Write(encoded) // JSON on one line: encoding/json escapes line breaks.
	s.buf.WriteString("\n\n")
	return s.flush()
}

// keepAlive sends a comment that keeps the connection open.
func (s *sseWriter) keepAlive() error {
	s.buf.WriteString(": keep-alive\n\n")
	return s.flush()
}

func (s *sseWriter) flush() error {
	s.response.extendWriteDeadline()
	_, err := s.response.Write([]byte(s.buf.String()))
	s.buf.Reset()
	if err != nil {
		return err
	}
	return s.response.Flush()
}
