package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// stream writes server-sent events (the HTML standard, section 9.2) to one
// caller. A caller who does not take an event in within the patience of an
// answer is given up.
type stream struct {
	out  *answer
	text strings.Builder
}

// openStream begins the answer.
func openStream(ctx huma.Context) *stream {
	s := &stream{out: callOf(ctx.Context()).out}
	h := s.out.Header()
	h.Set("Content-Type", eventStream)
	h.Set("X-Accel-Buffering", "no") // A proxy in between shall pass events on as they come.
	s.out.WriteHeader(http.StatusOK)
	return s
}

// event sends one; id 0 is none. An error means that the caller is gone.
func (s *stream) event(name string, id int64, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if id != 0 {
		s.text.WriteString("id: " + strconv.FormatInt(id, 10) + "\n")
	}
	s.text.WriteString("event: " + name + "\ndata: ")
	s.text.Write(text) // JSON on one line: encoding/json escapes line breaks.
	s.text.WriteString("\n\n")
	return s.flush()
}

// alive sends a sign of life.
func (s *stream) alive() error {
	s.text.WriteString(": alive\n\n")
	return s.flush()
}

func (s *stream) flush() error {
	s.out.wait()
	_, err := s.out.Write([]byte(s.text.String()))
	s.text.Reset()
	if err != nil {
		return err
	}
	return s.out.control.Flush()
}
