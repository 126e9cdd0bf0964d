// Package wasmtest checks whether a committed WebAssembly file is older than its Rust
// crate. It compares digests and needs no compiler, so it runs everywhere; "build.sh
// --check" is the stronger test and needs one.
package wasmtest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// AssertCurrent fails the test when the sources of crate or the wasm file differ from the
// digest file that the build wrote next to it.
func AssertCurrent(t *testing.T, crate, wasm string) {
	t.Helper()
	digest := strings.TrimSuffix(wasm, ".wasm") + ".digest"
	recorded, err := readDigest(digest)
	if err != nil {
		t.Fatal(err)
	}
	built, err := os.ReadFile(wasm) //nolint:gosec // the caller's file
	if err != nil {
		t.Fatal(err)
	}
	if got := sum(built); got != recorded["wasm"] {
		t.Errorf("%s has SHA-256 %s, %s says %s: run make wasm", wasm, got, digest, recorded["wasm"])
	}
	sources, err := sourceSum(crate)
	if err != nil {
		t.Fatal(err)
	}
	if sources != recorded["sources"] {
		t.Errorf("the sources in %q have changed since %s was built: run make wasm", crate, wasm)
	}
	if recorded["compiler"] == "" {
		t.Errorf("%s names no compiler", digest)
	}
}

// readDigest reads lines of a name and a value.
func readDigest(path string) (map[string]string, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the caller's file
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		values[name] = value
	}
	return values, nil
}

// sourceSum computes the same digest as sources in wasm.sh: the SHA-256 of a list of
// SHA-256 sums, in the format of sha256sum, of all files that the bytes depend on; unit
// tests are not among them.
func sourceSum(crate string) (string, error) {
	var files []string
	for _, top := range []string{"Cargo.toml", "Cargo.lock", "build.rs", "src", "getrandom"} {
		err := filepath.WalkDir(filepath.Join(crate, top), func(path string, d fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil || !d.Type().IsRegular() || isUnitTest(d.Name()) {
				return err
			}
			files = append(files, path)
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	slices.Sort(files)
	var list strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file) //nolint:gosec // found under crate
		if err != nil {
			return "", err
		}
		name, err := filepath.Rel(crate, file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&list, "%s  %s\n", sum(content), filepath.ToSlash(name))
	}
	return sum([]byte(list.String())), nil
}

func isUnitTest(name string) bool {
	return strings.HasPrefix(name, "test") && strings.HasSuffix(name, ".rs")
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
