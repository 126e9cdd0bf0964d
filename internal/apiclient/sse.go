package apiclient

import (
	"bufio"
	"io"
	"strings"
)

// serverEvent is one server-sent event.
type serverEvent struct {
	name string
	data []byte
}

// maxEventSize exceeds every event of this API, in bytes.
const maxEventSize = 1 << 20

// eventReader reads server-sent events (the HTML standard, section 9.2).
type eventReader struct {
	lines  *bufio.Scanner
	onLine func() // Called for each line, comments included.
}

func newEventReader(r io.Reader, onLine func()) *eventReader {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxEventSize)
	return &eventReader{lines: lines, onLine: onLine}
}

// next returns the next event that has data. It returns io.ErrUnexpectedEOF at the end of
// the stream, because the caller stops reading after the last event.
func (s *eventReader) next() (serverEvent, error) {
	var (
		e    serverEvent
		data []string
	)
	for s.lines.Scan() {
		s.onLine()
		line := s.lines.Text()
		if line == "" {
			if data != nil {
				e.data = []byte(strings.Join(data, "\n"))
				return e, nil
			}
			e = serverEvent{}
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			e.name = value
		case "data":
			data = append(data, value)
		}
	}
	if err := s.lines.Err(); err != nil {
		return serverEvent{}, err
	}
	return serverEvent{}, io.ErrUnexpectedEOF
}
