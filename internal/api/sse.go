package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// sseWriter writes server-sent events (the HTML standard, section 9.2) to one
// caller. A caller who does not take an event in within the patience of an
// answer is given up.
type sseWriter struct {
	response *responseWriter
	buf      strings.Builder
}

// newSSEWriter begins the answer.
func newSSEWriter(ctx huma.Context) *sseWriter {
	s := &sseWriter{response: requestContextFrom(ctx.Context()).response}
	h := s.response.Header()
	h.Set("Content-Type", contentTypeEventStream)
	h.Set("X-Accel-Buffering", "no") // A proxy in between shall pass events on as they come.
	s.response.WriteHeader(http.StatusOK)
	return s
}

// send sends one; id 0 is none. An error means that the caller is gone.
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

// keepAlive sends a sign of life.
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
	return s.response.controller.Flush()
}
