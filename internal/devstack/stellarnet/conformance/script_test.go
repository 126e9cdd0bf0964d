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

// scriptLine is one line of a script's output: a step with its result, or a request that
// the script waits for.
type scriptLine struct {
	Step     string          `json:"step"`
	Result   json.RawMessage `json:"found"`
	Request  string          `json:"ask"`
	Argument string          `json:"about"`
}

// runScript runs a script to its end and returns its results, by step.
func runScript(t *testing.T, cmd *exec.Cmd, handle func(ask, about string) error) map[string]json.RawMessage {
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
	found, talkErr := readScript(out, in, handle)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the script failed: %v\nafter %d steps\n%s", err, len(found), stderr.String())
	}
	if talkErr != nil {
		t.Fatal(talkErr)
	}
	return found
}

func readScript(out io.Reader, in io.WriteCloser, handle func(ask, about string) error) (map[string]json.RawMessage, error) {
	found := map[string]json.RawMessage{}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s scriptLine
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			// The script gets the error, and then reports it.
			return found, fmt.Errorf("the script says %q: %w", lines.Text(), errors.Join(err, in.Close()))
		}
		if s.Request == "" {
			found[s.Step] = s.Result
			continue
		}
		answer := "done"
		if err := handle(s.Request, s.Argument); err != nil {
			answer = err.Error()
		}
		if _, err := fmt.Fprintln(in, answer); err != nil {
			return found, fmt.Errorf("answer the script: %w", err)
		}
	}
	return found, lines.Err()
}
