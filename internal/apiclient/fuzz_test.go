package apiclient

import (
	"bytes"
	"testing"
)

// FuzzEventReader: a stream of any bytes ends, and gives no more than it has.
func FuzzEventReader(f *testing.F) {
	for _, seed := range []string{"", ": keep-alive\n\n", "event: step\ndata: {}\n\n", "data: a\ndata: b\n\n", "data\n\n", "event: x\r\ndata: 1\r\n\r\n", "id: 1\nretry: 5\ndata: x\n\n", "data: \xff\x00\n\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		lines, size := 0, 0
		reader := newEventReader(bytes.NewReader(stream), func() { lines++ })
		for {
			event, err := reader.next()
			if err != nil {
				break
			}
			if size += len(event.data); size > len(stream) {
				t.Fatalf("%d bytes of data from a stream of %d", size, len(stream))
			}
		}
		if want := bytes.Count(stream, []byte("\n")) + 1; lines > want {
			t.Errorf("%d lines were read, the stream has %d", lines, want)
		}
	})
}
