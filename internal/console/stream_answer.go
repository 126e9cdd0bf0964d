package console

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
)

// maxEventLine is the longest line of an event, in bytes.
const maxEventLine = 1 << 20

// streamedAnswer hands an answer of the API on while it is written.
type streamedAnswer struct {
	header http.Header
	status int
	pipe   *io.PipeWriter
}

// Header implements http.ResponseWriter.
func (a *streamedAnswer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *streamedAnswer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements http.ResponseWriter. It returns when the reader has taken all of p.
func (a *streamedAnswer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.pipe.Write(p)
}

// Flush implements http.Flusher: nothing is buffered.
func (a *streamedAnswer) Flush() {}

// read calls received for each line. The status is set when the first byte arrives, or the stream has ended.
func (a *streamedAnswer) read(from io.Reader, received func(line string) bool) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, 4096), maxEventLine)
	for lines.Scan() {
		if a.status >= http.StatusBadRequest {
			p := &problem.Problem{}
			if err := json.Unmarshal(lines.Bytes(), p); err != nil {
				return err
			}
			return p
		}
		if !received(lines.Text()) {
			return nil
		}
	}
	if err := lines.Err(); !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	return nil
}
