//go:build unix

package pgserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
)

// helperEnv makes the test binary start a server with the options in this variable,
// report it, and wait for the end of its input.
const helperEnv = "PGSERVER_TEST_HELPER"

func TestMain(m *testing.M) {
	if options, ok := os.LookupEnv(helperEnv); ok {
		os.Exit(runHelper(options))
	}
	dir, err := copyHelper()
	if err != nil {
		fmt.Fprintln(os.Stderr, "copy the helper:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// helperProgram is a copy of the test binary that every user can run.
var helperProgram string

func copyHelper() (dir string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile(self)
	if err != nil {
		return "", err
	}
	if dir, err = os.MkdirTemp("", "pgserver-helper-"); err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return dir, err
	}
	helperProgram = filepath.Join(dir, "helper")
	return dir, os.WriteFile(helperProgram, content, 0o755)
}

// helperReport is the helper's report about its server.
type helperReport struct {
	Pid      int
	Dir, URL string
}

func runHelper(options string) int {
	var o pgserver.Options
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	s, err := pgserver.Start(context.Background(), o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := json.NewEncoder(os.Stdout).Encode(helperReport{s.Pid(), s.Dir(), s.URL("postgres")}); err != nil {
		return 1
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
