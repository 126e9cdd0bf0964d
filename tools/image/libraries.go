package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// addLibraries adds the shared libraries that the programs among files need, and the
// loader, from a folder with unpacked Debian packages, each in a folder of its own, with
// the copyright file and the version of each package that anything came from. It fails when
// a library is missing.
func addLibraries(files []file, debian string) ([]file, error) {
	have, packages := map[string]bool{}, map[string]bool{}
	for _, f := range files {
		have[path.Base(f.path)] = true
		if f.debian != "" {
			packages[f.debian] = true
		}
	}
	for i := 0; i < len(files); i++ { // The list grows by what its entries need.
		needed, err := neededBy(files[i].content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", files[i].path, err)
		}
		for _, name := range needed {
			if have[path.Base(name)] {
				continue
			}
			have[path.Base(name)] = true
			library, err := debianLibrary(debian, name)
			if err != nil {
				return nil, fmt.Errorf("%s needs %s: %w", files[i].path, name, err)
			}
			files = append(files, library)
			packages[library.debian] = true
		}
	}
	about, err := aboutPackages(debian, slices.Sorted(maps.Keys(packages)))
	return append(files, about...), err
}

// aboutPackages returns the copyright files of Debian packages, and a list of their
// versions and sources.
func aboutPackages(debian string, packages []string) ([]file, error) {
	var (
		files    []file
		versions strings.Builder
	)
	for _, name := range packages {
		// The documents of some packages are a link to those of another.
		found, err := filepath.EvalSymlinks(filepath.Join(debian, name, "usr/share/doc", name))
		if err != nil {
			target, linkErr := os.Readlink(filepath.Join(debian, name, "usr/share/doc", name))
			if linkErr != nil {
				return nil, err
			}
			found = filepath.Join(debian, target, "usr/share/doc", target)
		}
		f, err := fileAt(filepath.Join(found, "copyright"))
		if err != nil {
			return nil, err
		}
		f.path = "usr/share/doc/" + name + "/copyright"
		files = append(files, f)
		version, err := os.ReadFile(filepath.Join(debian, name+".version"))
		if err != nil {
			return nil, err
		}
		versions.Write(version)
	}
	return append(files, file{path: "usr/share/doc/debian-packages.txt", mode: 0o644, content: []byte(versions.String())}), nil
}

// neededBy lists what a program or library is linked with: names of libraries, and the
// path of its loader. Other content needs nothing.
func neededBy(content []byte) ([]string, error) {
	if !bytes.HasPrefix(content, []byte(elf.ELFMAG)) {
		return nil, nil
	}
	program, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	needed, err := program.ImportedLibraries()
	if err != nil {
		return nil, err
	}
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP {
			loader, err := io.ReadAll(p.Open())
			if err != nil {
				return nil, err
			}
			needed = append(needed, strings.TrimRight(string(loader), "\x00"))
		}
	}
	return needed, nil
}

// debianLibrary finds a library where Debian has it, and returns it there, or a loader at
// the path that programs have.
func debianLibrary(debian, name string) (file, error) {
	if strings.HasPrefix(name, "/") {
		resolved, err := debianLibrary(debian, path.Base(name))
		resolved.path = strings.TrimPrefix(name, "/")
		return resolved, err
	}
	for _, pattern := range []string{"*/lib/*-linux-gnu/", "*/usr/lib/*-linux-gnu/"} {
		found, err := filepath.Glob(filepath.Join(debian, pattern, name))
		if err != nil {
			return file{}, err
		}
		if len(found) == 0 {
			continue
		}
		content, err := os.ReadFile(found[0]) // Follows the link to the full version.
		if err != nil {
			return file{}, err
		}
		relative, err := filepath.Rel(debian, found[0])
		pkg, target, _ := strings.Cut(relative, "/")
		return file{path: target, mode: 0o755, content: content, debian: pkg}, err
	}
	return file{}, errors.New("no Debian package here has it; tools/images.sh lists the packages")
}
