package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	testVersion = "1.2.3-dev-0123456789ab"
	testZip     = providerName + "_" + testVersion + "_linux_amd64.zip"
	testTar     = "tenant-api_" + testVersion + "_linux_amd64.tar.gz"
)

var testTime = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

func TestChecker_Check(t *testing.T) {
	t.Parallel()
	body := buildProgram(t)

	t.Run("AcceptsValidRelease", func(t *testing.T) {
		t.Parallel()
		if found := checkRelease(setup(t, body)); len(found) > 0 {
			t.Error(found)
		}
	})

	for name, test := range map[string]struct {
		spoil func(r *fakeRelease)
		want  string
	}{
		"WrongDigest":     {func(r *fakeRelease) { r.addAfterChecksums(testZip, []byte("x")) }, "another digest"},
		"NoChecksum":      {func(r *fakeRelease) { r.addAfterChecksums("more.zip", []byte("x")) }, "more.zip has no checksum"},
		"NoManifest":      {func(r *fakeRelease) { r.protocol = "" }, "_manifest.json"},
		"OldProtocol":     {func(r *fakeRelease) { r.protocol = "5.0" }, `it says {"version":1`},
		"NoVersion":       {func(r *fakeRelease) { r.version = "v1" }, "is no version"},
		"OtherVersion":    {func(r *fakeRelease) { r.version = "1.2.4" }, "does not know its version"},
		"ProviderTooLarge":             {func(r *fakeRelease) { r.program = append(slices.Clone(r.program), make([]byte, maxProvider)...) }, "are too many"},
		"OtherPlatform":   {func(r *fakeRelease) { r.arch = "arm64" }, `GOARCH="amd64"`},
		"WrongMode":       {func(r *fakeRelease) { r.mode = 0o700 }, "has mode -rwx------"},
		"WrongOwner":      {func(r *fakeRelease) { r.owner = "ada" }, "belongs to ada"},
		"OtherTime":       {func(r *fakeRelease) { r.zipTime = testTime.Add(time.Hour) }, "others of"},
		"NoLicence":       {func(r *fakeRelease) { r.texts = []string{"NOTICE"} }, "are wanted"},
		"NoSBOM":          {func(r *fakeRelease) { r.sbom = func(string, []byte) []byte { return nil } }, sbomSuffix},
		"SBOMOfOtherProgram":   {func(r *fakeRelease) { r.sbom = replaceText(testVersion, "9.9.9") }, "of another program"},
		"SBOMLacksModule": {func(r *fakeRelease) { r.sbom = replaceText("github.com/google/uuid", "example.com/other") }, "github.com/google/uuid"},
		"ProgramMissing":  {func(r *fakeRelease) { r.only = providerName }, "tenant-api is there for []"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFakeRelease(t, body)
			test.spoil(r)
			if found := fmt.Sprint(checkRelease(r.write())); !strings.Contains(found, test.want) {
				t.Errorf("%q is not in %s", test.want, found)
			}
		})
	}

	t.Run("RequiresAllPlatforms", func(t *testing.T) {
		t.Parallel()
		c := &checker{dist: setup(t, body), all: true, out: io.Discard}
		if found := fmt.Sprint(c.check()); !strings.Contains(found, "tenant-api is there for [linux_amd64]") {
			t.Error(found)
		}
	})
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	dist := setup(t, buildProgram(t))
	o := options{version: testVersion, source: "../..", time: testTime}
	text, err := describe(filepath.Join(dist, testTar), o)
	if err != nil {
		t.Fatal(err)
	}
	again, err := describe(filepath.Join(dist, testTar), o)
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("the same program is described differently: %v", err)
	}
	var document bom
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	if want := "pkg:golang/" + module + "@v" + testVersion + "?goarch=amd64&goos=linux#cmd/release"; document.Metadata.Component.PURL != want {
		t.Errorf("purl %q", document.Metadata.Component.PURL)
	}
	refs := map[string]bool{}
	for _, c := range document.Components {
		if refs[c.Ref] {
			t.Errorf("%q is there twice", c.Ref)
		}
		refs[c.Ref] = true
	}
	if whole := document.Dependencies[0]; len(whole.DependsOn) != len(document.Components) {
		t.Errorf("%d of %d parts are needed", len(whole.DependsOn), len(document.Components))
	}
	part, err := os.ReadFile("../../" + embeddedFiles[0].path)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := embeddedComponents(append([]byte("before"), part...), "../.."); err != nil || len(found) != 1 || found[0].Name != embeddedFiles[0].path {
		t.Errorf("%v, %v", found, err)
	}
}

// fakeRelease is what goreleaser would make, with one thing or another spoilt.
type fakeRelease struct {
	t              *testing.T
	dir            string
	version        string
	arch           string
	protocol       string // Empty: no manifest.
	owner          string
	only           string
	mode           fs.FileMode
	zipTime        time.Time
	program        []byte
	texts          []string
	sbom           func(archive string, document []byte) []byte
	afterChecksums map[string][]byte // Written when the checksums are there.
}

func newFakeRelease(t *testing.T, program []byte) *fakeRelease {
	t.Helper()
	return &fakeRelease{
		t: t, dir: t.TempDir(), version: testVersion, arch: "amd64", protocol: protocol, owner: "root", mode: 0o755, zipTime: testTime,
		program: program, sbom: func(_ string, d []byte) []byte { return d }, afterChecksums: map[string][]byte{},
	}
}

func setup(t *testing.T, program []byte) string {
	t.Helper()
	return newFakeRelease(t, program).write()
}

func checkRelease(dist string) []error { return (&checker{dist: dist, out: io.Discard}).check() }

func replaceText(old, replacement string) func(string, []byte) []byte {
	return func(_ string, document []byte) []byte {
		return bytes.ReplaceAll(document, []byte(old), []byte(replacement))
	}
}

func (r *fakeRelease) addAfterChecksums(name string, body []byte) { r.afterChecksums[name] = body }

func (r *fakeRelease) write() string {
	r.t.Helper()
	if r.protocol != "" {
		r.writeFile(providerName+"_"+r.version+"_manifest.json", fmt.Appendf(nil, `{"version":1,"metadata":{"protocol_versions":[%q]}}`, r.protocol))
	}
	for name := range platforms {
		if r.only != "" && name != r.only {
			continue
		}
		archive := name + "_" + r.version + "_linux_" + r.arch
		if name == providerName {
			archive += ".zip"
			r.writeFile(archive, r.zip(r.contents(name, name+"_v"+r.version)))
		} else {
			archive += ".tar.gz"
			r.writeFile(archive, r.tar(r.contents(name, name)))
		}
		document, err := describe(filepath.Join(r.dir, archive), options{version: r.version, source: "../..", time: testTime})
		if err != nil {
			r.t.Fatal(err)
		}
		if document = r.sbom(archive, document); document != nil {
			r.writeFile(archive+sbomSuffix, document)
		}
	}
	r.sums()
	for name, body := range r.afterChecksums {
		r.writeFile(name, body)
	}
	return r.dir
}

func (r *fakeRelease) contents(name, program string) []file {
	files := []file{{name: program, mode: r.mode, body: r.program}}
	texts := companions[name]
	if r.texts != nil {
		texts = r.texts
	}
	for _, text := range texts {
		files = append(files, file{name: text, mode: 0o644, body: []byte("text\n")})
	}
	return files
}

func (r *fakeRelease) writeFile(name string, body []byte) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), body, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *fakeRelease) sums() {
	r.t.Helper()
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	var list []byte
	for _, entry := range entries {
		body, err := os.ReadFile(filepath.Join(r.dir, entry.Name()))
		if err != nil {
			r.t.Fatal(err)
		}
		list = fmt.Appendf(list, "%x  %s\n", sha256.Sum256(body), entry.Name())
	}
	r.writeFile(providerName+"_"+r.version+sumsSuffix, list)
}

func (r *fakeRelease) zip(files []file) []byte {
	r.t.Helper()
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	for _, f := range files {
		header := &zip.FileHeader{Name: f.name, Modified: r.zipTime, Method: zip.Store}
		header.SetMode(f.mode)
		w, err := archive.CreateHeader(header)
		if err != nil {
			r.t.Fatal(err)
		}
		if _, err := w.Write(f.body); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		r.t.Fatal(err)
	}
	return b.Bytes()
}

func (r *fakeRelease) tar(files []file) []byte {
	r.t.Helper()
	var b bytes.Buffer
	zipped, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err != nil {
		r.t.Fatal(err)
	}
	archive := tar.NewWriter(zipped)
	for _, f := range files {
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: f.name, Mode: int64(f.mode), Size: int64(len(f.body)),
			ModTime: testTime, Uname: r.owner, Gname: "root",
		}
		if err := archive.WriteHeader(header); err != nil {
			r.t.Fatal(err)
		}
		if _, err := archive.Write(f.body); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		r.t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		r.t.Fatal(err)
	}
	return b.Bytes()
}

// buildProgram gives a program as a release has them: this one. Its version stands in
// the build's id, as it has no other place for it.
func buildProgram(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid="+testVersion, "-o", path, ".")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
