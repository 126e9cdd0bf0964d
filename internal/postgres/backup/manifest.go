package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// The files of a backup.
const (
	manifestFile  = "manifest.json"
	registryFile  = "registry.jsonl" // A row of the registry in each line.
	schemaFile    = "schema.dump"    // In pg_dump's custom format.
	blueprintFile = "blueprint.tar.gz"
)

// format is the version of the form of a backup.
const format = 1

// maxManifest limits the manifest, which is a file from outside, in bytes.
const maxManifest = 1 << 20

// Manifest says what a backup has.
type Manifest struct {
	Format          int       `json:"format"`
	CreatedAt       time.Time `json:"createdAt"`
	Registry        uuid.UUID `json:"registry"`        // Its id.
	Timeline        int       `json:"timeline"`        // Of the registry.
	RegistryVersion int64     `json:"registryVersion"` // The version of its migrations.
	Server          string    `json:"server"`          // PostgreSQL's version.
	Program         string    `json:"program"`         // pg_dump and its version.
	Tenant          Tenant    `json:"tenant"`
	Files           []File    `json:"files"`
}

// Tenant is the tenant of a backup.
type Tenant struct {
	ID            uuid.UUID `json:"id"`
	Name          string    `json:"name"`
	Status        string    `json:"status"`
	SchemaName    string    `json:"schemaName"`
	Blueprint     string    `json:"blueprint"`
	Revision      int       `json:"revision"`        // Of the blueprint; 0: standard.
	SHA256        string    `json:"blueprintSha256"` // Of the revision; empty: standard.
	SchemaVersion int       `json:"schemaVersion"`
	AuditSeq      int64     `json:"auditSeq"` // The last event of its chain,
	AuditHead     string    `json:"auditHead"`
}

// File is a file of a backup.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // In bytes.
	SHA256 string `json:"sha256"`
}

// describe returns the size and the hash of a file.
func describe(dir, name string) (f File, err error) {
	in, err := os.Open(filepath.Join(dir, name)) //nolint:gosec // The operator's own folder.
	if err != nil {
		return f, err
	}
	defer func() { _ = in.Close() }() // It was only read.
	hash := sha256.New()
	size, err := io.Copy(hash, in)
	return File{Name: name, Size: size, SHA256: hex.EncodeToString(hash.Sum(nil))}, err
}

// write writes the manifest of the files in a folder.
func (m Manifest) write(dir string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(dir, manifestFile, append(text, '\n'))
}

func writeFile(dir, name string, content []byte) error {
	return os.WriteFile(filepath.Join(dir, name), content, 0o600)
}

// Read reads the manifest of a backup and checks the hash of each file. KindInvalid for a folder that is
// no whole backup.
func Read(dir string) (m Manifest, err error) {
	const op = "read backup"
	in, err := os.Open(filepath.Join(dir, manifestFile)) //nolint:gosec // The operator's own folder.
	if err != nil {
		return m, errs.Wrap(err, errs.KindInvalid, op, "%s has no %s that can be read; give the folder that tenants backup create made", dir, manifestFile)
	}
	defer func() { _ = in.Close() }() // It was only read.
	if err := json.NewDecoder(io.LimitReader(in, maxManifest)).Decode(&m); err != nil {
		return m, errs.Wrap(err, errs.KindInvalid, op, "%s in %s is damaged; take another copy of the backup", manifestFile, dir)
	}
	if m.Format != format {
		return m, errs.Errorf(errs.KindInvalid, op, "the backup has the format %d, and this program knows %d; use the release that made it", m.Format, format)
	}
	has := map[string]bool{}
	for _, want := range m.Files {
		if filepath.Base(want.Name) != want.Name {
			return m, errs.Errorf(errs.KindInvalid, op, "%s names a file outside of the backup", manifestFile)
		}
		got, err := describe(dir, want.Name)
		switch {
		case err != nil:
			return m, errs.Wrap(err, errs.KindInvalid, op, "%s of the backup cannot be read; take another copy of it", want.Name)
		case got != want:
			return m, errs.Errorf(errs.KindInvalid, op, "%s of the backup was changed: it has %d bytes and the SHA-256 %s, the manifest says %d and %s; take another copy of it", want.Name, got.Size, got.SHA256, want.Size, want.SHA256)
		}
		has[want.Name] = true
	}
	for _, name := range m.needed() {
		if !has[name] {
			return m, errs.Errorf(errs.KindInvalid, op, "the manifest of the backup does not have %s; take another copy of it", name)
		}
	}
	return m, nil
}

func (m Manifest) needed() []string {
	names := []string{registryFile, schemaFile}
	if m.Tenant.SHA256 != "" {
		names = append(names, blueprintFile)
	}
	return names
}

// String names the tenant and the time of a backup.
func (m Manifest) String() string {
	return fmt.Sprintf("%s (%s) of %s", m.Tenant.Name, m.Tenant.ID, m.CreatedAt.UTC().Format(time.DateTime+" MST"))
}
