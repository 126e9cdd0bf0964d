package main

import (
	"archive/zip"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// baseFiles are what every image has beside its programs.
func (r release) baseFiles() ([]file, error) {
	zones, err := zoneFiles(r.zones)
	if err != nil {
		return nil, fmt.Errorf("time zones: %w", err)
	}
	return append(zones,
		file{path: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, content: certificates()},
		file{path: "etc/passwd", mode: 0o644, content: []byte("root:x:0:0:root:/:/sbin/nologin\nnonroot:x:" + user + ":" + user + ":nonroot:/tmp:/sbin/nologin\n")},
		file{path: "etc/group", mode: 0o644, content: []byte("root:x:0:\nnonroot:x:" + user + ":\n")},
		// For what is mounted there, and for programs that are run without a read-only root.
		file{path: "tmp/", mode: 0o1777},
	), nil
}

// certificates are the root certificates that Mozilla trusts, as PEM. They come from a Go
// module, whose content go.sum pins: a package of a distribution would change with its
// mirror. Roots that Mozilla trusts in part alone, such as for certificates issued before a
// date, are left out, because a PEM file cannot say so.
func certificates() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			// A bytes.Buffer returns no error.
			_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return out.Bytes()
}

// zoneFiles are the files of Go's zoneinfo.zip, where programs look for time zones. The
// version of Go in go.mod says which they are.
func zoneFiles(path string) ([]file, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = archive.Close() }()
	var files []file
	for _, entry := range archive.File {
		if strings.HasSuffix(entry.Name, "/") {
			continue
		}
		content, err := read(entry)
		if err != nil {
			return nil, err
		}
		files = append(files, file{path: "usr/share/zoneinfo/" + entry.Name, mode: 0o644, content: content})
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no files", path)
	}
	return files, nil
}

func read(entry *zip.File) ([]byte, error) {
	r, err := entry.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return io.ReadAll(r)
}
