package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// module is the path of this repository's Go module.
const module = "github.com/healthcare-platform/terraform-provider-healthcare"

type options struct {
	version string
	source  string
	time    time.Time
}

// bom is a CycloneDX document, as far as ours go.
type bom struct {
	Schema       string       `json:"$schema"`
	Format       string       `json:"bomFormat"`
	Spec         string       `json:"specVersion"`
	Serial       string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type        string     `json:"type"`
	Ref         string     `json:"bom-ref"`
	Name        string     `json:"name"`
	Version     string     `json:"version,omitempty"`
	Description string     `json:"description,omitempty"`
	Hashes      []hash     `json:"hashes,omitempty"`
	Licenses    []licence  `json:"licenses,omitempty"`
	PURL        string     `json:"purl,omitempty"`
	Properties  []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type licence struct {
	License struct {
		ID string `json:"id"`
	} `json:"license"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

// embeddedFiles are the parts of programs that no Go module brought, with what they are
// built from.
var embeddedFiles = []struct{ path, crates string }{
	{"internal/soroban/contract/tenant_contract.wasm", "internal/soroban/contract/Cargo.lock"},
	{"internal/devstack/stellarnet/host/host.wasm", "internal/devstack/stellarnet/host/rust/Cargo.lock"},
}

// describe writes the bill of materials of an archive's program.
//
// It takes the modules from the program itself, where the linker has put those
// that went into it, with their checksums, and nothing else. So it needs no network,
// names nothing that only tests need, and is the same for the same program: the
// serial number comes from the program, the time from the commit.
func describe(archive string, o options) ([]byte, error) {
	files, err := readArchive(archive)
	if err != nil {
		return nil, err
	}
	p, err := findProgram(files)
	if err != nil {
		return nil, fmt.Errorf("archive %q: %w", archive, err)
	}
	digest := sha256.Sum256(p.body)
	parts := []component{libraryComponent("stdlib", strings.TrimPrefix(p.info.GoVersion, "go"), "")}
	for _, m := range p.info.Deps {
		parts = append(parts, moduleComponent(m))
	}
	embedded, err := embeddedComponents(p.body, o.source)
	if err != nil {
		return nil, err
	}
	parts = append(parts, embedded...)
	document := bom{
		Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", Spec: "1.6",
		Serial: uuid.NewSHA1(uuid.NameSpaceOID, digest[:]).URN(), Version: 1,
		Metadata:   metadata{Timestamp: o.time.Format(time.RFC3339), Component: applicationComponent(p, digest, o.version)},
		Components: parts,
	}
	document.Dependencies = dependencies(document)
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	err = encoder.Encode(document)
	return text.Bytes(), err
}

func applicationComponent(p program, digest [sha256.Size]byte, version string) component {
	app := component{
		Type: "application", Name: strings.TrimSuffix(p.name, ".exe"), Version: version,
		Hashes:   []hash{{"SHA-256", hex.EncodeToString(digest[:])}},
		Licenses: make([]licence, 1),
		PURL:     "pkg:golang/" + module + "@v" + version + "?goarch=" + p.setting("GOARCH") + "&goos=" + p.setting("GOOS"),
	}
	if subpath := strings.TrimPrefix(strings.TrimPrefix(p.info.Path, module), "/"); subpath != "" {
		app.PURL += "#" + subpath
	}
	app.Licenses[0].License.ID = "MPL-2.0"
	app.Ref = app.PURL
	return app
}

func moduleComponent(m *debug.Module) component {
	if m.Replace != nil {
		m = m.Replace
	}
	return libraryComponent(m.Path, m.Version, m.Sum)
}

func libraryComponent(path, version, sum string) component {
	c := component{Type: "library", Name: path, Version: version, PURL: "pkg:golang/" + strings.ToLower(path) + "@" + strings.ReplaceAll(version, "+", "%2B")}
	c.Ref = c.PURL
	// What go.sum has is the digest of a list, and not of a file that one could
	// download: no hash in CycloneDX's sense.
	if sum != "" {
		c.Properties = []property{{"go.sum", sum}}
	}
	return c
}

// embeddedComponents names those foreign parts that are in a program, whole.
func embeddedComponents(body []byte, source string) ([]component, error) {
	var parts []component
	for _, f := range embeddedFiles {
		part, err := os.ReadFile(filepath.Join(source, filepath.FromSlash(f.path))) //nolint:gosec // Two files of the repository.
		if err != nil {
			return nil, err
		}
		if !bytes.Contains(body, part) {
			continue
		}
		digest := sha256.Sum256(part)
		parts = append(parts, component{
			Type: "file", Ref: f.path, Name: f.path, Hashes: []hash{{"SHA-256", hex.EncodeToString(digest[:])}},
			Description: "WebAssembly, built from Rust crates in " + f.crates,
		})
	}
	return parts, nil
}

// dependencies says no more than that the program needs each part: which part needs
// which other one, a program does not say.
func dependencies(b bom) []dependency {
	root := dependency{Ref: b.Metadata.Component.Ref}
	all := []dependency{}
	for _, c := range b.Components {
		root.DependsOn = append(root.DependsOn, c.Ref)
		all = append(all, dependency{Ref: c.Ref})
	}
	return slices.Insert(all, 0, root)
}
