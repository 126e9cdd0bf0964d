package stream

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/limits"
)

// ContentType is the media type of an event stream.
const ContentType = "text/event-stream"

// Writer writes server-sent events (HTML standard, section 9.2) to one client. A client
// that does not read an event within the write timeout is disconnected.
type Writer struct {
	response *limits.ResponseWriter
	buf      strings.Builder
}

// NewWriter writes the response headers.
func NewWriter(w *limits.ResponseWriter) *Writer {
	s := &Writer{response: w}
	h := s.response.Header()
	h.Set("Content-Type", ContentType)
	h.Set("X-Accel-Buffering", "no") // A proxy must forward events immediately.
	s.response.WriteHeader(http.StatusOK)
	return s
}

// send writes one event, without an id for id 0. An error means that the client is gone.
func (s *Writer) send(name string, id int64, data any) error {
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
func (s *Writer) keepAlive() error {
	s.buf.WriteString(": keep-alive\n\n")
	return s.flush()
}

func (s *Writer) flush() error {
	s.response.ExtendWriteDeadline()
	_, err := s.response.Write([]byte(s.buf.String()))
	s.buf.Reset()
	if err != nil {
		return err
	}
	return s.response.Flush()
}
