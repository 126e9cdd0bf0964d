package conformance_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// The oldest Node.js that the SDK's package.json accepts, in its "engines".
const nodeMajor, nodeMinor = 22, 12

// node is a Node.js that can run the SDK, and the folder with the SDK, next to which
// scripts find it.
type node struct{ program, modules string }

// installSDK returns the SDK as pinned in package-lock.json.
func installSDK(t *testing.T) node {
	t.Helper()
	bundledNode, err := exec.LookPath("node")
	withNode := err != nil || !supportsSDK(t, bundledNode)
	modules := testenv.NodeModules(t, os.DirFS("js"), withNode)
	if !withNode {
		return node{program: bundledNode, modules: modules}
	}
	program := filepath.Join(modules, fmt.Sprintf("node-%s-%s", runtime.GOOS, nodeArch()), "bin", "node")
	if _, err := os.Stat(program); err != nil {
		testenv.SkipUnlessCI(t, fmt.Sprintf("Node.js %d.%d or newer is not installed, and npm has none for %s/%s that is pinned here",
			nodeMajor, nodeMinor, runtime.GOOS, runtime.GOARCH))
	}
	return node{program: program, modules: modules}
}

func supportsSDK(t *testing.T, program string) bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, "--version").Output()
	if err != nil {
		t.Logf("%s does not run: %v", program, err)
		return false
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(out), "v%d.%d", &major, &minor); err != nil {
		t.Logf("%s has version %q: %v", program, out, err)
		return false
	}
	return major > nodeMajor || major == nodeMajor && minor >= nodeMinor
}

func nodeArch() string {
	if runtime.GOARCH == "amd64" {
		return "x64"
	}
	return runtime.GOARCH
}

// scripts returns a folder with the scripts and the modules that they import.
func (n node) scripts(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("js")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(n.modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return dir
}
