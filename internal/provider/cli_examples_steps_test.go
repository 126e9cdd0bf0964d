package provider_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// runOwnSteps adds a step to the blueprint of the guide, with the directory as the receiver,
// makes a tenant with it, and another one whose step and undo are refused.
func runOwnSteps(t *testing.T, w *testEnv) {
	const guide = "guides/blueprints/"
	address := freeAddress(t)
	for _, name := range []string{"patients.sql", "appointments.sql", "invoices.sql", "first.sh", "steps.yaml", "lakeside.tf", "directory.sh", "step.sh"} {
		w.copyExample(guide+name, name, "127.0.0.1:8090", address)
	}
	w.copyExample(guide+"lakeside.tf", "hill.tf.later", "lakeside", "hill", "Lakeside", "Hill", `output "directory_id"`, `output "of_hill"`)
	w.copyExample(guide+"skip.sh", "skip.sh", "Lakeside", "Hill")
	// The working directory has no sources of Go.
	script := fmt.Sprintf("#!/bin/sh\n[ \"$*\" = 'run ./examples/directory' ] && exec '%s' -listen %s\n", testenv.Program(t, "examples/directory"), address)
	if err := os.WriteFile(filepath.Join(w.dir, "tools/go"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	w.mustShell("-eu", "first.sh")
	w.mustShell("-euc", `trap 'kill $!' EXIT
. ./directory.sh
. ./step.sh
mv hill.tf.later hill.tf
if BLUEPRINT_SECRET_DIRECTORY=whsec_dGhlIHNlY3JldCBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVz terraform apply -auto-approve -no-color; then exit 1; fi
. ./skip.sh
tenant-api tenants show 'name:Hill Practice' --outputs
`).wantText(t, "Blueprint practice, revision 2, active", "1 added, 0 changed, 0 destroyed", `"dir_`, `directory_id="dir_`,
		"step REGISTER_IN_DIRECTORY failed: the answer was Unauthorized (401)",
		"Left over at the receiver: the step REGISTER_IN_DIRECTORY, whose undo failed: the answer was Unauthorized (401). The next attempt tries this undo first.",
		"Error step REGISTER_IN_DIRECTORY failed: the answer was Unauthorized (401). Left over: the step REGISTER_IN_DIRECTORY, whose undo failed: the answer was Unauthorized (401)",
		"REGISTER_IN_DIRECTORY COMPLETED", `The tenant "Hill Practice"`, "is ACTIVE")
}

// freeAddress is one on which nothing listens; nothing else on this machine is expected to take it.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}
