//go:build unix

package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// exampleDirectory is the address of the directory in the blueprint of the examples.
const exampleDirectory = "http://127.0.0.1:8090"

// directoryStopTimeout is how long the directory may take to answer its last request.
const directoryStopTimeout = 5 * time.Second

// directory is a running examples/directory, which the own step of the clinics calls.
type directory struct {
	url, secret string
	stop        context.CancelFunc
	ended       <-chan error
}

// startDirectory starts the program on a free port. ctx limits only the start.
func startDirectory(ctx context.Context, w *workspace) (*directory, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // Never fails.
	d := &directory{secret: "whsec_" + base64.StdEncoding.EncodeToString(key)}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = stop
	output, input := io.Pipe()
	cmd := exec.CommandContext(running, filepath.Join(w.binPath(), "directory"), "-listen", "127.0.0.1:0") //nolint:gosec // G204: built by the demo
	cmd.Env, cmd.Stderr = []string{"BLUEPRINT_SECRET_DIRECTORY=" + d.secret}, input
	ended := make(chan error, 1)
	d.ended = ended
	go func() {
		err := w.runGroup(cmd, "service", directoryStopTimeout)
		_ = input.Close() // Never fails.
		ended <- err
	}()
	stopped := context.AfterFunc(ctx, stop)
	defer stopped()
	if _, err := fmt.Fscanf(output, "directory: serving %s\n", &d.url); err != nil {
		return nil, errors.Join(fmt.Errorf("the directory does not serve: %w", err), d.close(), context.Cause(ctx))
	}
	go func() { _, _ = io.Copy(io.Discard, output) }() // It must not wait for a reader.
	return d, w.useDirectory(d.url)
}

// env are the settings with which the step reaches the directory.
func (d *directory) env() []string {
	return []string{"BLUEPRINT_SECRET_DIRECTORY=" + d.secret, "WEBHOOK_ALLOW=127.0.0.1"}
}

// close ends the program.
func (d *directory) close() error {
	d.stop()
	if err := <-d.ended; err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("directory: %w", err)
	}
	return nil
}

// useDirectory writes the directory's address into the copied blueprint.
func (w *workspace) useDirectory(url string) error {
	file := filepath.Join(w.blueprintPath(), "blueprint.yaml")
	text, err := os.ReadFile(file) //nolint:gosec // G304: of the workspace
	if err != nil {
		return err
	}
	if !bytes.Contains(text, []byte(exampleDirectory)) {
		return fmt.Errorf("examples/blueprints/clinic/blueprint.yaml has no step at %s", exampleDirectory)
	}
	return os.WriteFile(file, bytes.ReplaceAll(text, []byte(exampleDirectory), []byte(url)), 0o600) //nolint:gosec // G703: of the workspace
}
