package provider_test

import "testing"

// TestCLIAPI_ServerKilled: the apply continues with the server that
// replaces the killed one.
func TestCLIAPI_ServerKilled(t *testing.T) {
	w := setup(t, apiMode, clinic)
	w.net.Faults().HoldQueue(true)
	b := w.start("apply", "-auto-approve", "-no-color")
	w.waitWhileRunning(b, "the deployment", func() bool { return w.net.Faults().QueueSize() > 0 })
	w.restart()
	w.net.Faults().HoldQueue(false)
	if r := w.finish(b); r.code != 0 {
		t.Fatalf("apply: %s", r.out)
	}
	w.assertOneTenant()
	w.assertNoChanges()
}
