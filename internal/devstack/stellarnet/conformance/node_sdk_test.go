package conformance_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// The oldest Node.js that the SDK's package.json accepts, in its "engines".
const nodeMajor, nodeMinor = 22, 12

// node is a Node.js that can run the SDK, and the folder with the SDK, next to which
// scripts find it.
type node struct{ program, modules string }

// installSDK returns the SDK as pinned in package-lock.json. It is downloaded once into
// the user's cache folder; the folder's name is the lock file's hash.
func installSDK(t *testing.T) node {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		testenv.SkipUnlessCI(t, "npm is not installed: apt-get install nodejs npm")
	}
	bundledNode, err := exec.LookPath("node")
	withNode := err != nil || !supportsSDK(t, bundledNode)
	modules, err := installModules(t.Context(), npm, withNode)
	if err != nil {
		t.Fatalf("install the JavaScript SDK: %v", err)
	}
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

// installModules returns a node_modules folder. It is created under another name and
// renamed when complete, so that neither a crash nor a concurrent run leaves an
// incomplete one.
func installModules(ctx context.Context, npm string, withNode bool) (string, error) {
	dir, err := cacheDir(withNode)
	if err != nil {
		return "", err
	}
	modules := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o750); err != nil {
		return "", fmt.Errorf("make cache folder: %w", err)
	}
	tempDir, err := os.MkdirTemp(filepath.Dir(dir), "new-")
	if err != nil {
		return "", fmt.Errorf("make cache folder: %w", err)
	}
	err = npmCI(ctx, npm, tempDir, withNode)
	if err == nil {
		err = os.Rename(tempDir, dir)
	}
	if err == nil || errors.Is(err, fs.ErrExist) {
		return modules, os.RemoveAll(tempDir)
	}
	return "", errors.Join(err, os.RemoveAll(tempDir))
}

func cacheDir(withNode bool) (string, error) {
	lock, err := os.ReadFile("js/package-lock.json")
	if err != nil {
		return "", fmt.Errorf("read lock file: %w", err)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find cache folder: %w", err)
	}
	name := fmt.Sprintf("%x", sha256.Sum256(lock))[:16]
	if withNode {
		name += "-node"
	}
	return filepath.Join(base, "terraform-provider-healthcare", "npm", name), nil
}

// npmCI installs only what the lock file has. Install scripts of packages do not run.
func npmCI(ctx context.Context, npm, dir string, withNode bool) error {
	for _, file := range []string{"package.json", "package-lock.json"} {
		content, err := os.ReadFile(filepath.Join("js", file))
		if err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
			return fmt.Errorf("copy %s: %w", file, err)
		}
	}
	args := []string{"ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"}
	if !withNode {
		args = append(args, "--omit=optional")
	}
	cmd := exec.CommandContext(ctx, npm, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
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
