package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	providerName = "terraform-provider-healthcare"
	sumsSuffix   = "_SHA256SUMS"
	sbomSuffix   = ".sbom.json"

	// maxProvider is how large a provider's binary may be, unpacked.
	maxProvider = 30_000_000
	// protocol is the version of Terraform's plugin protocol that the provider speaks.
	protocol = "6.0"
)

// platforms are those on which each program has to be had.
var platforms = map[string][]string{
	// What the Terraform Registry recommends, and what else Terraform runs on.
	providerName: {
		"darwin_amd64", "darwin_arm64", "freebsd_386", "freebsd_amd64", "freebsd_arm", "freebsd_arm64",
		"linux_386", "linux_amd64", "linux_arm", "linux_arm64", "windows_386", "windows_amd64", "windows_arm64",
	},
	"tenant-api": {
		"darwin_amd64", "darwin_arm64", "freebsd_amd64", "freebsd_arm64",
		"linux_amd64", "linux_arm64", "windows_amd64", "windows_arm64",
	},
	"devstack": {"darwin_amd64", "darwin_arm64", "linux_amd64", "linux_arm64"},
}

// companions are the files that stand beside each program.
var companions = map[string][]string{
	// The registry's archives hold a program and its licence.
	providerName: {"LICENSE", "NOTICE"},
	"tenant-api": {"CHANGELOG.md", "LICENSE", "NOTICE", "README.md"},
	"devstack":   {"CHANGELOG.md", "LICENSE", "NOTICE", "README.md"},
}

var (
	semver      = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`)
	sumsLine    = regexp.MustCompile(`^([0-9a-f]{64})  (\S+)$`)
	archiveName = regexp.MustCompile(`^(` + providerName + `|tenant-api|devstack)_(.+)_([a-z]+)_([a-z0-9]+)\.(zip|tar\.gz)$`)
)

// checker looks at what goreleaser has left in a folder, as those will who get it:
// with the checksums, the archives and the bills of materials alone.
type checker struct {
	dist     string
	all      bool
	out      io.Writer
	version  string
	time     time.Time // Of every file in every archive.
	problems []error
}

func (c *checker) addError(format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf(format, args...))
}

// check gives everything that is wrong.
func (c *checker) check() []error {
	sums, err := c.verifyChecksums()
	if err != nil {
		return []error{err}
	}
	c.checkCoverage(sums)
	c.checkManifest()
	built := map[string][]string{}
	for _, name := range sums {
		if strings.HasSuffix(name, ".zip") || strings.HasSuffix(name, ".tar.gz") {
			parts := archiveName.FindStringSubmatch(name)
			if parts == nil || parts[2] != c.version {
				c.addError("%s: no name for an archive of version %s", name, c.version)
				continue
			}
			built[parts[1]] = append(built[parts[1]], parts[3]+"_"+parts[4])
			if err := c.checkArchive(name, parts[1], parts[3], parts[4]); err != nil {
				c.addError("%s: %w", name, err)
			}
		}
	}
	for name, wanted := range platforms {
		slices.Sort(built[name])
		if len(built[name]) == 0 || c.all && !slices.Equal(built[name], wanted) {
			c.addError("%s is there for %v", name, built[name])
		}
	}
	return c.problems
}

// verifyChecksums finds the checksums, which name the release, and verifies them.
func (c *checker) verifyChecksums() ([]string, error) {
	lists, err := filepath.Glob(filepath.Join(c.dist, "*"+sumsSuffix))
	if err != nil || len(lists) != 1 {
		return nil, errors.Join(err, fmt.Errorf("%d files *%s in %q", len(lists), sumsSuffix, c.dist))
	}
	name := filepath.Base(lists[0])
	c.version = strings.TrimSuffix(strings.TrimPrefix(name, providerName+"_"), sumsSuffix)
	if !semver.MatchString(c.version) {
		c.addError("%s: %q is no version", name, c.version)
	}
	text, err := os.ReadFile(lists[0])
	if err != nil {
		return nil, err
	}
	var names []string
	for scanner := bufio.NewScanner(bytes.NewReader(text)); scanner.Scan(); {
		parts := sumsLine.FindStringSubmatch(scanner.Text())
		if parts == nil {
			c.addError("%s: the line %q", name, scanner.Text())
			continue
		}
		names = append(names, parts[2])
		if body, err := c.read(parts[2]); err != nil {
			c.addError("%s: %w", name, err)
		} else if digest := sha256.Sum256(body); hex.EncodeToString(digest[:]) != parts[1] {
			c.addError("%s: %s has another digest", name, parts[2])
		}
	}
	return names, nil
}

// checkCoverage looks for files that the checksums do not cover.
func (c *checker) checkCoverage(sums []string) {
	entries, err := os.ReadDir(c.dist)
	if err != nil {
		c.addError("%w", err)
	}
	// What goreleaser keeps for itself, and what is made of the checksums.
	ignored := []string{
		"artifacts.json", "config.yaml", "metadata.json",
		providerName + "_" + c.version + sumsSuffix, providerName + "_" + c.version + sumsSuffix + ".sig",
	}
	for _, entry := range entries {
		if !entry.IsDir() && !slices.Contains(ignored, entry.Name()) && !slices.Contains(sums, entry.Name()) {
			c.addError("%s has no checksum", entry.Name())
		}
	}
	if name := c.manifestName(); !slices.Contains(sums, name) {
		c.addError("%s has no checksum", name)
	}
}

func (c *checker) manifestName() string { return providerName + "_" + c.version + "_manifest.json" }

func (c *checker) checkManifest() {
	body, err := c.read(c.manifestName())
	if err != nil {
		c.addError("%w", err)
		return
	}
	var manifest struct {
		Version  int `json:"version"`
		Metadata struct {
			Protocols []string `json:"protocol_versions"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(body, &manifest); err != nil {
		c.addError("%s: %w", c.manifestName(), err)
	}
	if manifest.Version != 1 || !slices.Equal(manifest.Metadata.Protocols, []string{protocol}) {
		c.addError("%s: it says %s", c.manifestName(), body)
	}
}

// checkArchive looks into one archive, and at the bill of materials beside it.
func (c *checker) checkArchive(name, product, system, arch string) error {
	wantZip := product == providerName || system == "windows"
	if strings.HasSuffix(name, ".zip") != wantZip {
		c.addError("%s: another kind of archive is expected on %s", name, system)
	}
	files, err := readArchive(filepath.Join(c.dist, name))
	if err != nil {
		return err
	}
	p, err := findProgram(files)
	if err != nil {
		return err
	}
	c.checkFiles(name, files, expectedFiles(product, c.version, system))
	c.checkProgram(name, p, system, arch)
	if product == providerName && len(p.body) >= maxProvider {
		c.addError("%s: the program has %d bytes, and %d are too many", name, len(p.body), maxProvider)
	}
	_, _ = fmt.Fprintf(c.out, "%-75s %10d bytes unpacked, %3d modules\n", name, len(p.body), len(p.info.Deps))
	return c.checkSBOM(name, p)
}

func expectedFiles(product, version, system string) []string {
	program := product
	if product == providerName {
		program += "_v" + version // So that several versions can be in one folder.
	}
	if system == "windows" {
		program += ".exe"
	}
	names := append([]string{program}, companions[product]...)
	slices.Sort(names)
	return names
}

// checkFiles holds an archive's files against what they are meant to be, and everything
// that could differ from one machine to the next against one value.
func (c *checker) checkFiles(archive string, files []file, wanted []string) {
	var names []string
	for _, f := range files {
		names = append(names, f.name)
		mode := os.FileMode(0o644)
		if strings.HasPrefix(f.name, providerName) || f.name == "tenant-api" || f.name == "devstack" || strings.HasSuffix(f.name, ".exe") {
			mode = 0o755
		}
		if f.mode != mode {
			c.addError("%s: %s has mode %v", archive, f.name, f.mode)
		}
		if f.owner != "" && f.owner != "root:root" {
			c.addError("%s: %s belongs to %s", archive, f.name, f.owner)
		}
		if c.time.IsZero() {
			c.time = f.modified
		}
		if !f.modified.Equal(c.time) {
			c.addError("%s: %s is of %v, others of %v", archive, f.name, f.modified, c.time)
		}
		if len(f.body) == 0 {
			c.addError("%s: %s is empty", archive, f.name)
		}
	}
	if slices.Sort(names); !slices.Equal(names, wanted) {
		c.addError("%s: it holds %v, and %v are wanted", archive, names, wanted)
	}
}

func (c *checker) checkProgram(archive string, p program, system, arch string) {
	for key, want := range map[string]string{"GOOS": system, "GOARCH": arch, "CGO_ENABLED": "0", "-trimpath": "true", "vcs.revision": ""} {
		if got := p.setting(key); got != want {
			c.addError("%s: built with %s=%q, and not %q", archive, key, got, want)
		}
	}
	// Nothing else in the program names the version.
	if !bytes.Contains(p.body, []byte(c.version)) {
		c.addError("%s: the program does not know its version", archive)
	}
}

func (c *checker) checkSBOM(archive string, p program) error {
	text, err := c.read(archive + sbomSuffix)
	if err != nil {
		return err
	}
	var document bom
	if err := json.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("bill of materials: %w", err)
	}
	digest := sha256.Sum256(p.body)
	subject := document.Metadata.Component
	if subject.Version != c.version || !slices.Contains(subject.Hashes, hash{"SHA-256", hex.EncodeToString(digest[:])}) {
		c.addError("%s: the bill of materials is of another program: %s %s", archive, subject.Name, subject.Version)
	}
	if document.Metadata.Timestamp != c.time.UTC().Format(time.RFC3339) {
		c.addError("%s: the bill of materials is of %s", archive, document.Metadata.Timestamp)
	}
	versions := map[string]string{}
	for _, part := range document.Components {
		versions[part.Name] = part.Version
	}
	for _, m := range p.info.Deps {
		if c := moduleComponent(m); versions[c.Name] != c.Version {
			return fmt.Errorf("bill of materials: %s %s is not in it", c.Name, c.Version)
		}
	}
	if len(p.info.Deps) == 0 || versions["stdlib"] == "" {
		return errors.New("bill of materials: it is empty")
	}
	return nil
}

func (c *checker) read(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(c.dist, name)) //nolint:gosec // The person who releases names the folder.
}
