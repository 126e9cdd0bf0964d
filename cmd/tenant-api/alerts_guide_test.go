//go:build unix

package main_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// guideCommand matches a command in the guide: in a block of code, or in the text.
var guideCommand = regexp.MustCompile("(?m)`(tenant-api [^`]+)`|^(tenant-api [^#\n]+)")

// TestAlertsGuide runs each command of the guide in a registry with a tenant that failed. The first
// ones lead from an alert to the reason within a minute.
func TestAlertsGuide(t *testing.T) {
	w := setup(t)
	d := w.newDirectory()
	w.publishSteps(d)
	server := w.start(w.createKey("tenants:write"), "serve")
	w.createFailed(server, d, "Clinic")
	w.env["APP_PORT"] = server.url[strings.LastIndex(server.url, ":")+1:] // The guide's healthcheck is of the server of the machine.
	text, err := os.ReadFile("../../docs/guides/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, m := range guideCommand.FindAllStringSubmatch(string(text), -1) {
		command := strings.TrimSpace(m[1] + m[2])
		// Not those that do not end, or are of a number that the reader chooses.
		if args := strings.Fields(command); !slices.Contains(commands, command) && args[1] != "serve" && args[1] != "worker" && args[len(args)-1] != "N" {
			commands = append(commands, command)
		}
	}
	if len(commands) < 25 {
		t.Fatalf("only %d commands: %q", len(commands), commands)
	}
	placeholders := strings.NewReplacer("TENANT", "name:Clinic", "--skip-undo STEP", "--skip-undo REGISTER", "ADDRESS", "ada@clinic.example", "TRANSACTION", strings.Repeat("0", 64))
	run := func(command string) result {
		return w.run(strings.Fields(placeholders.Replace(command))[1:]...)
	}
	t.Run("ReasonWithinAMinute", func(t *testing.T) {
		started := time.Now()
		for i, want := range []string{"database  ok", "Clinic", "step REGISTER failed: the answer was Forbidden (403)"} {
			run(commands[i]).want(t, 0, want)
		}
		if took := time.Since(started); took > time.Minute {
			t.Errorf("it took %v", took)
		}
	})
	for _, command := range commands {
		// 1 and 3: it ran, and there is something to be repaired, or it does not fit this tenant.
		if r := run(command); r.code != 0 && r.code != 1 && r.code != 3 {
			t.Errorf("%s: exit code %d: %s%s", command, r.code, r.out, r.err)
		}
	}
}
