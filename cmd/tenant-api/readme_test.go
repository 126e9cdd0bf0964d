//go:build unix

package main_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestREADME_OverHTTP runs the commands for a platform of one's own, as README has them.
func TestREADME_OverHTTP(t *testing.T) {
	w := setup(t)
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "On your own platform, after `make build`:\n\n```shell\n")
	block, _, found := strings.Cut(rest, "\n```")
	if !found {
		t.Fatal("README has no such commands")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	if err := listener.Close(); err != nil { // Nothing else on this machine is expected to take it now.
		t.Fatal(err)
	}
	// The settings are those of the test.
	block = regexp.MustCompile(`(?m)^export .*\n`).ReplaceAllString(block, "")
	w.env["APP_PORT"], w.env["PATH"] = port, filepath.Dir(w.program)+":"+os.Getenv("PATH")
	script := "set -eu\ntrap 'kill $!; wait' EXIT\n" + strings.ReplaceAll(block, "3000", port)
	cmd := exec.Command("bash", "-c", script)
	cmd.Env = w.command().Env
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), "Tenant provisioning for Hope Hospice has been queued") {
		t.Fatalf("%v: %s", err, out)
	}
	if all := w.registry.All(); len(all) != 1 || all[0].Name != "Hope Hospice" {
		t.Errorf("%+v", all)
	}
}
