package licences

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// wasm are the Rust parts of the programs: folder of Cargo.lock, and target.
var wasm = []struct{ folder, target string }{
	{"internal/soroban/contract", "wasm32v1-none"},
	{"internal/devstack/stellarnet/host/rust", "wasm32-unknown-unknown"},
}

const cratesHeading = `Licences of the Rust crates in tenant_contract.wasm, which is part of the provider and of
tenant-api, and in host.wasm, which is part of devstack.
Written by "make licences-crates"; do not edit.

The source of a crate is at https://crates.io/crates/CRATE/VERSION.
`

// rustLibrary is the licence of Rust's own libraries, which no crate has.
//
//go:embed rust.txt
var rustLibrary string

// crate is a package as cargo metadata lists it.
type crate struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Licence  string `json:"license"`
	Source   string `json:"source"` // Empty: of this project.
	Manifest string `json:"manifest_path"`
}

func (c crate) id() string { return c.Name + " v" + c.Version }

// Crates returns the licence texts of the Rust crates in the programs. It needs cargo.
func Crates(ctx context.Context, root string) (string, error) {
	crates := map[string]crate{}
	for _, w := range wasm {
		if err := listCrates(ctx, filepath.Join(root, w.folder), w.target, crates); err != nil {
			return "", err
		}
	}
	texts := []text{{"The Rust standard library", "LICENSE-MIT", rustLibrary}}
	names := make([]string, 0, len(crates))
	for name := range crates {
		names = append(names, name)
	}
	slices.Sort(names)
	var without []crate // Crates that only declare the Apache License.
	apache := ""
	for _, name := range names {
		found, err := readTexts(name, filepath.Dir(crates[name].Manifest), "")
		if err != nil {
			return "", err
		}
		if len(found) == 0 && strings.Contains(crates[name].Licence, "Apache-2.0") {
			without = append(without, crates[name])
			continue
		}
		if err := checkKnown(name, found); err != nil {
			return "", err
		}
		for _, t := range found {
			if apache == "" && slices.Equal(identify(t.content), []string{"Apache-2.0"}) && len(t.content) > 9000 {
				apache = t.content
			}
		}
		texts = append(texts, found...)
	}
	if len(without) > 0 && apache == "" {
		return "", fmt.Errorf("%s: it has no licence text, and no other crate has the Apache License's; add a text", without[0].id())
	}
	for _, c := range without {
		texts = append(texts, text{c.id(), "Cargo.toml declares " + c.Licence, apache})
	}
	digests, err := Digests(root)
	if err != nil {
		return "", err
	}
	return render(cratesHeading+"\n"+digests, texts), nil
}

// Digests returns the lines by which the file of crates names the Cargo.lock files that it
// was written from.
func Digests(root string) (string, error) {
	var b strings.Builder
	for _, w := range wasm {
		name := w.folder + "/Cargo.lock"
		content, err := os.ReadFile(filepath.Join(root, name)) //nolint:gosec // G304: a file of this project
		if err != nil {
			return "", fmt.Errorf("read the crates: %w", err)
		}
		sum := sha256.Sum256(content)
		fmt.Fprintf(&b, "%s %s\n", hex.EncodeToString(sum[:]), name)
	}
	return b.String(), nil
}

// listCrates adds the crates of others that are linked into one WebAssembly file. Crates of
// its build, macros included, are not in it.
func listCrates(ctx context.Context, folder, target string, crates map[string]crate) error {
	cargo := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, "cargo", append(args, "--locked")...) //nolint:gosec // G204: the arguments are constants
		cmd.Dir = folder
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("cargo %s in %s: %w; install cargo, see CONTRIBUTING.md", args[0], folder, err)
		}
		return out, nil
	}
	out, err := cargo("metadata", "--format-version=1", "--filter-platform="+target)
	if err != nil {
		return err
	}
	var metadata struct {
		Packages []crate `json:"packages"`
	}
	if err := json.Unmarshal(out, &metadata); err != nil {
		return fmt.Errorf("cargo metadata in %s: %w", folder, err)
	}
	if out, err = cargo("tree", "--edges=normal,no-proc-macro", "--target="+target, "--prefix=none", "--format={p}"); err != nil {
		return err
	}
	linked := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) > 1 {
			linked[fields[0]+" "+fields[1]] = true
		}
	}
	for _, c := range metadata.Packages {
		if c.Source != "" && linked[c.id()] {
			crates[c.id()] = c
		}
	}
	return nil
}
