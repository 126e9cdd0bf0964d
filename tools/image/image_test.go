package main

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// TestLayer: files belong to root, have one time, come after their folders, and in one order.
func TestLayer(t *testing.T) {
	t.Parallel()
	created := time.Unix(1_800_000_000, 0).UTC()
	files := []file{
		{path: "usr/bin/b", mode: 0o755, content: []byte("b")}, {path: "etc/a", mode: 0o644, content: []byte("a")},
		{path: "bin/sh", link: "busybox", mode: 0o777}, {path: "var/lib/devstack/", mode: 0o700, owner: 65532},
	}
	reversed := []file{files[3], files[2], files[1], files[0]}
	var digests []v1.Hash
	for _, order := range [][]file{files, reversed} {
		l, err := layer(order, created)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := l.Digest()
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest)
	}
	if digests[0] != digests[1] {
		t.Errorf("the order of files changes the digest: %v", digests)
	}
	l, err := layer(files, created)
	if err != nil {
		t.Fatal(err)
	}
	content, err := l.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]*tar.Header{}
	for r := tar.NewReader(content); ; {
		header, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if parent := filepath.Dir(strings.TrimSuffix(header.Name, "/")); parent != "." && seen[parent+"/"] == nil {
			t.Errorf("%s comes before its folder", header.Name)
		}
		if !header.ModTime.Equal(created) || header.Uname != "" || header.Uid != 0 && header.Name != "var/lib/devstack/" {
			t.Errorf("%+v", header)
		}
		seen[header.Name] = header
	}
	if len(seen) != 10 || seen["bin/sh"].Linkname != "busybox" || seen["var/lib/devstack/"].Uid != 65532 || seen["usr/bin/b"].Mode != 0o755 {
		t.Errorf("entries %v", seen)
	}
}

// TestAddLibraries takes a program of this machine, which needs at least a C library.
func TestAddLibraries(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	needed, err := neededBy(content)
	if err != nil || len(needed) < 2 { // The library and the loader.
		t.Fatalf("/bin/sh needs %v, %v", needed, err)
	}
	debian := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(debian, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	program := []file{{path: "bin/sh", mode: 0o755, content: content}}
	if _, err := addLibraries(program, debian); err == nil || !strings.Contains(err.Error(), "bin/sh needs "+needed[0]) {
		t.Errorf("without a package: %v", err)
	}
	for _, name := range needed {
		write("libc6/lib/x86_64-linux-gnu/"+filepath.Base(name), "library")
	}
	write("libc6/usr/share/doc/libc6/copyright", "terms")
	write("libc6.version", "libc6 2.36 amd64\n")
	files, err := addLibraries(program, debian)
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]string{}
	for _, f := range files {
		byPath[f.path] = string(f.content)
	}
	for path, want := range map[string]string{
		"usr/share/doc/libc6/copyright": "terms", "usr/share/doc/debian-packages.txt": "libc6 2.36 amd64\n", "lib/x86_64-linux-gnu/" + needed[0]: "library",
	} {
		if byPath[path] != want {
			t.Errorf("%s has %q, want %q", path, byPath[path], want)
		}
	}
	for _, name := range needed {
		if strings.HasPrefix(name, "/") && byPath[strings.TrimPrefix(name, "/")] != "library" {
			t.Errorf("the loader is not at %s", name)
		}
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	if n := strings.Count(string(certificates()), "BEGIN CERTIFICATE"); n < 100 {
		t.Errorf("%d certificates", n)
	}
}
