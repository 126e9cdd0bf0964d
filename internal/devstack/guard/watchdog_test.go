//go:build unix

package guard_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/guard"
)

func TestWatchdog_RunsScriptWhenInputEnds(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "it's done")
	g, err := guard.Start(`all=; while read -r line; do all="$all$line,"; done; printf %s "$all" >"$1"`, file)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Send("pid %d", 7); err != nil {
		t.Fatal(err)
	}
	if err := g.Send("end"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("it acted before its input ended")
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if output, err := os.ReadFile(file); err != nil || string(output) != "pid 7,end," {
		t.Errorf("it got %q, error %v", output, err)
	}
}
