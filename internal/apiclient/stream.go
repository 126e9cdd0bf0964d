package apiclient

import (
	"bufio"
	"io"
	"strings"
)

// event is one server-sent event.
type event struct {
	name string
	data []byte
}

// maxEvent is more than any event of ours has.
const maxEvent = 1 << 20

// stream reads server-sent events (the HTML standard, section 9.2).
type stream struct {
	lines *bufio.Scanner
	alive func() // Called for each line, comments included.
}

func newStream(r io.Reader, alive func()) *stream {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxEvent)
	return &stream{lines: lines, alive: alive}
}

// next gives the next event that has data; io.ErrUnexpectedEOF when the stream
// ends, because a stream that is told to the end is not read to its end.
func (s *stream) next() (event, error) {
	var (
		e    event
		data []string
	)
	for s.lines.Scan() {
		s.alive()
		line := s.lines.Text()
		if line == "" {
			if data != nil {
				e.data = []byte(strings.Join(data, "\n"))
				return e, nil
			}
			e = event{}
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
		return event{}, err
	}
	return event{}, io.ErrUnexpectedEOF
}
