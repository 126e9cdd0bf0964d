package licences

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// programs are the packages of the programs in a release.
var programs = []string{".", "./cmd/tenant-api", "./cmd/devstack"}

const goHeading = `Licences of the Go modules and of the data of others in the programs of a release
(terraform-provider-healthcare, tenant-api and devstack, on all their platforms).
Written by "make generate"; do not edit.

The source of a module is at https://proxy.golang.org/MODULE/@v/VERSION.zip, and in the
repository that the module's path names; this project changes none of them. The form in which
it has the data is in its own repository, in the folder that is named.
`

// dataFolders are the folders of this project with data of others, each with its licence beside it.
var dataFolders = []struct{ component, folder string }{
	{"Unicode's confusables.txt v17.0.0", "internal/confusables"},
	{"htmx v4.0.1", "internal/console/assets"},
}

// target is a platform in .goreleaser.yml.
var target = regexp.MustCompile(`(?m)^ +- ([a-z]+)_([a-z0-9]+)_[a-z0-9.]+$`)

// module is a Go module in a program.
type module struct {
	name    string // With its version.
	folder  string
	folders []string // Of its packages in the programs.
}

// Go returns the licence texts of the Go modules in the programs of a release. root is the
// folder of the project.
func Go(ctx context.Context, root string) (string, error) {
	release, err := os.ReadFile(filepath.Join(root, ".goreleaser.yml")) //nolint:gosec // G304: a file of this project
	if err != nil {
		return "", fmt.Errorf("read the platforms of a release: %w", err)
	}
	modules := map[string]*module{}
	for _, platform := range slices.Compact(slices.Sorted(slices.Values(target.FindAllString(string(release), -1)))) {
		parts := target.FindStringSubmatch(platform)
		if err := listModules(ctx, root, parts[1], parts[2], modules); err != nil {
			return "", err
		}
	}
	if len(modules) == 0 {
		return "", fmt.Errorf(".goreleaser.yml: it has no platforms; a line of targets looks like - linux_amd64_v1")
	}
	texts, err := goLibraryTexts(ctx)
	if err != nil {
		return "", err
	}
	names := make([]string, 0, len(modules))
	for name := range modules {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		own, err := modules[name].texts()
		if err != nil {
			return "", err
		}
		texts = append(texts, own...)
	}
	for _, d := range dataFolders {
		own, err := readTexts(d.component, filepath.Join(root, d.folder), d.folder)
		if err == nil {
			err = checkKnown(d.component, own)
		}
		if err != nil {
			return "", err
		}
		texts = append(texts, own...)
	}
	return render(goHeading, texts), nil
}

// listModules adds the modules of the programs on one platform.
func listModules(ctx context.Context, root, goos, goarch string, modules map[string]*module) error {
	args := append([]string{"list", "-deps", "-tags=grpcnotrace", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}\t{{$.Dir}}{{end}}{{end}}"}, programs...)
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // G204: the arguments are constants
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go list for %s/%s: %w: %s", goos, goarch, err, stderr.String())
	}
	for line := range strings.Lines(string(out)) {
		parts := strings.Split(strings.TrimSpace(line), "\t")
		if len(parts) != 3 {
			continue // Of the standard library or this project.
		}
		m := modules[parts[0]]
		if m == nil {
			m = &module{name: parts[0], folder: parts[1]}
			modules[m.name] = m
		}
		if !slices.Contains(m.folders, parts[2]) {
			m.folders = append(m.folders, parts[2])
		}
	}
	return nil
}

// texts reads the texts in the module's root and in each folder from there to a package:
// code of others inside a module has its licence beside it.
func (m *module) texts() ([]text, error) {
	folders := []string{m.folder}
	for _, f := range m.folders {
		for ; len(f) > len(m.folder); f = filepath.Dir(f) {
			if !slices.Contains(folders, f) {
				folders = append(folders, f)
			}
		}
	}
	slices.Sort(folders)
	var all []text
	for _, f := range folders {
		name, err := filepath.Rel(m.folder, f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		found, err := readTexts(m.name, f, name)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, checkKnown(m.name, all)
}

// goLibraryTexts reads the texts of Go's standard library.
func goLibraryTexts(ctx context.Context) ([]text, error) {
	const name = "Go's standard library"
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	texts, err := readTexts(name, strings.TrimSpace(string(out)), "")
	if err != nil {
		return nil, err
	}
	return texts, checkKnown(name, texts)
}
