package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"
	"time"
)

// file is one of an archive's.
type file struct {
	name     string
	owner    string // Zip archives have none.
	mode     fs.FileMode
	modified time.Time
	body     []byte
}

// program is the one Go program of an archive, and what it says it was built from.
type program struct {
	file
	info *debug.BuildInfo
}

// setting is one of the build's, such as GOOS.
func (p program) setting(key string) string {
	for _, s := range p.info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

func readArchive(path string) ([]file, error) {
	data, err := os.ReadFile(path) //nolint:gosec // The person who releases names it.
	if err != nil {
		return nil, err
	}
	read := readTar
	if strings.HasSuffix(path, ".zip") {
		read = readZip
	}
	files, err := read(data)
	if err != nil {
		return nil, fmt.Errorf("read archive %q: %w", path, err)
	}
	return files, nil
}

func readZip(data []byte) ([]file, error) {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	var files []file
	for _, entry := range archive.File {
		r, err := entry.Open()
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			return nil, err
		}
		files = append(files, file{name: entry.Name, mode: entry.Mode(), modified: entry.Modified, body: body})
	}
	return files, nil
}

func readTar(data []byte) ([]file, error) {
	decompressed, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	archive := tar.NewReader(decompressed)
	var files []file
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(archive)
		if err != nil {
			return nil, err
		}
		files = append(files, file{
			name: header.Name, owner: header.Uname + ":" + header.Gname,
			mode: header.FileInfo().Mode(), modified: header.ModTime, body: body,
		})
	}
}

func findProgram(files []file) (program, error) {
	var found []program
	for _, f := range files {
		if info, err := buildinfo.Read(bytes.NewReader(f.body)); err == nil {
			found = append(found, program{f, info})
		}
	}
	if len(found) != 1 {
		return program{}, fmt.Errorf("%d Go programs where there should be one", len(found))
	}
	return found[0], nil
}
