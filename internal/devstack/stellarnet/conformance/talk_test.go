package conformance_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"testing"
)

// said is one line of a script: a step with what it found, or something that it
// asks for and waits until it is done.
type said struct {
	Step  string          `json:"step"`
	Found json.RawMessage `json:"found"`
	Ask   string          `json:"ask"`
	About string          `json:"about"`
}

// converse runs a script to its end and returns what it found, by step.
func converse(t *testing.T, cmd *exec.Cmd, grant func(ask, about string) error) map[string]json.RawMessage {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found, talkErr := listen(out, in, grant)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the script failed: %v\nafter %d steps\n%s", err, len(found), stderr.String())
	}
	if talkErr != nil {
		t.Fatal(talkErr)
	}
	return found
}

func listen(out io.Reader, in io.WriteCloser, grant func(ask, about string) error) (map[string]json.RawMessage, error) {
	found := map[string]json.RawMessage{}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s said
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			// The script is told, and what it then says is its own error.
			return found, fmt.Errorf("the script says %q: %w", lines.Text(), errors.Join(err, in.Close()))
		}
		if s.Ask == "" {
			found[s.Step] = s.Found
			continue
		}
		answer := "done"
		if err := grant(s.Ask, s.About); err != nil {
			answer = err.Error()
		}
		if _, err := fmt.Fprintln(in, answer); err != nil {
			return found, fmt.Errorf("answer the script: %w", err)
		}
	}
	return found, lines.Err()
}
