//go:build unix

package watchdog_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/watchdog"
)

func TestWatchdog_RunsScriptWhenInputEnds(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "it's done")
	w, err := watchdog.Start(`all=; while read -r line; do all="$all$line,"; done; printf %s "$all" >"$1"`, file)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Send("pid %d", 7); err != nil {
		t.Fatal(err)
	}
	if err := w.Send("end"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the script ran its cleanup before its input ended")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if output, err := os.ReadFile(file); err != nil || string(output) != "pid 7,end," {
		t.Errorf("the script read %q, error %v", output, err)
	}
}
