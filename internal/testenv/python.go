//go:build unix

package testenv

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// PythonTools returns the folder bin of a virtual environment with the packages that a file of
// requirements pins. It is made once in the user's cache folder, where its name is the file's
// hash. Without Python, the test is skipped, and fails in CI.
func PythonTools(t testing.TB, requirements string) string {
	t.Helper()
	if exec.CommandContext(t.Context(), "python3", "-c", "import venv, ensurepip").Run() != nil {
		SkipUnlessCI(t, "Python or its venv is not installed: apt-get install python3 python3-venv")
	}
	content, err := os.ReadFile(requirements)
	if err != nil {
		t.Fatal(err)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(base, "terraform-provider-healthcare", "python", fmt.Sprintf("%x", sha256.Sum256(content))[:16])
	if err := makeVenv(t, dir, requirements); err != nil {
		t.Fatalf("install packages of Python: %v", err)
	}
	return filepath.Join(dir, "bin")
}

// makeVenv makes a virtual environment where it stays, because its programs have its path in them;
// a file says that it is complete.
func makeVenv(t testing.TB, dir, requirements string) error {
	complete := filepath.Join(dir, "complete")
	if _, err := os.Stat(complete); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, args := range [][]string{
		{"python3", "-m", "venv", dir},
		{filepath.Join(dir, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", "--requirement", requirements},
	} {
		if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
		}
	}
	return os.WriteFile(complete, nil, 0o600)
}
