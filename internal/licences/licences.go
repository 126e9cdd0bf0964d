// Package licences collects the licence texts of everything that is in the programs of a
// release: Go modules, Go's standard library, data such as Unicode's, and the Rust crates of the two
// WebAssembly files. The archives of a release contain the result. A module or crate without a text that
// the package knows is an error, so a dependency with another licence cannot be added
// unseen.
package licences

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// text is one text of one component.
type text struct {
	component string // "github.com/x/y v1.2.3".
	file      string // Its name in the component.
	content   string
}

// phrases identify licences in texts with single spaces, in lower case. A text can have several.
var phrases = []struct {
	name     string
	all, not []string
}{
	{"Apache-2.0", []string{"apache license version 2.0, january 2004", "terms and conditions for use, reproduction, and distribution"}, nil},
	{"Apache-2.0", []string{"licensed under the apache license, version 2.0"}, []string{"terms and conditions for use, reproduction, and distribution"}},
	{"MPL-2.0", []string{"mozilla public license", "version 2.0", "covered software"}, nil},
	{"MIT", []string{"permission is hereby granted, free of charge, to any person obtaining a copy"}, []string{"unicode license v3"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "may be used to endorse or promote products"}, nil},
	{"BSD-2-Clause", []string{"redistribution and use in source and binary forms"}, []string{"may be used to endorse or promote products"}},
	{"ISC", []string{"permission to use, copy, modify, and", "for any purpose with or without fee is hereby granted"}, []string{"zero-clause bsd"}},
	{"0BSD", []string{"zero-clause bsd", "for any purpose with or without fee is hereby granted"}, nil},
	{"Unlicense", []string{"free and unencumbered software released into the public domain"}, nil},
	{"CC0-1.0", []string{"cc0 1.0 universal"}, nil},
	{"Unicode-3.0", []string{"unicode license v3", "copyright and permission notice"}, nil},
	{"Zlib", []string{"this software is provided 'as-is', without any express or implied warranty"}, nil},
}

var space = regexp.MustCompile(`[\s*#/]+`)

// identify returns the names of the licences in a text, none if it is unknown.
func identify(content string) (names []string) {
	content = space.ReplaceAllString(strings.ToLower(content), " ")
	content = strings.NewReplacer("‘", "'", "’", "'", `"`, "'").Replace(content)
	has := func(phrase string) bool { return strings.Contains(content, phrase) }
	for _, p := range phrases {
		if !slices.ContainsFunc(p.all, func(phrase string) bool { return !has(phrase) }) && !slices.ContainsFunc(p.not, has) && !slices.Contains(names, p.name) {
			names = append(names, p.name)
		}
	}
	return names
}

var (
	licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)([-._].*)?$`)
	noticeFile  = regexp.MustCompile(`(?i)^(notice|patents|copyright)([-._].*)?$`)
	sourceFile  = regexp.MustCompile(`(?i)\.(go|rs|html|spdx)$`)
)

// readTexts reads the licences and notices in a folder of a component, and in its folder
// LICENSES. name is the folder's path in the component.
func readTexts(component, folder, name string) ([]text, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("%s: read its licences: %w", component, err)
	}
	var found []text
	for _, e := range entries {
		file := filepath.Join(folder, e.Name())
		switch {
		case e.IsDir() && e.Name() == "LICENSES":
			more, err := readAll(component, file, filepath.Join(name, e.Name()))
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		case e.IsDir() || sourceFile.MatchString(e.Name()) || !licenceFile.MatchString(e.Name()) && !noticeFile.MatchString(e.Name()):
		default:
			content, err := readText(file)
			if err != nil {
				return nil, err
			}
			found = append(found, text{component, filepath.ToSlash(filepath.Join(name, e.Name())), content})
		}
	}
	return found, nil
}

// readAll reads each file of a folder.
func readAll(component, folder, name string) (found []text, err error) {
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		content, err := readText(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		found = append(found, text{component, filepath.ToSlash(filepath.Join(name, e.Name())), content})
	}
	return found, err
}

func readText(file string) (string, error) {
	content, err := os.ReadFile(file) //nolint:gosec // G304: a file of a dependency, which the maintainer builds as well
	if err != nil {
		return "", fmt.Errorf("read a licence: %w", err)
	}
	lines := strings.Split(strings.ReplaceAll(strings.ToValidUTF8(string(content), "?"), "\r\n", "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t\f")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n") + "\n", nil
}

// maxPointer is the length of a text that only says which other texts apply.
const maxPointer = 400

// checkKnown returns an error for a component whose texts have no licence that is known, and
// for one text that is called a licence, is unknown and longer than maxPointer.
func checkKnown(component string, texts []text) error {
	known := 0
	for _, t := range texts {
		switch names := identify(t.content); {
		case len(names) > 0:
			known++
		case licenceFile.MatchString(filepath.Base(t.file)) && len(t.content) > maxPointer:
			return fmt.Errorf("%s: its licence in %s is unknown; read it, and add its phrases to internal/licences or remove the dependency", component, t.file)
		}
	}
	if known == 0 {
		return fmt.Errorf("%s: it has no licence text; ask its authors, or remove the dependency", component)
	}
	return nil
}

const rule = "================================================================================\n"

// render writes the heading, the components with the names of their licences, and each text
// once, after the components that have it.
func render(heading string, texts []text) string {
	var (
		b     strings.Builder
		order []string
		users = map[string][]string{}
		named = map[string][]string{}
		names []string
	)
	for _, t := range texts {
		if users[t.content] == nil {
			order = append(order, t.content)
		}
		users[t.content] = append(users[t.content], t.component+": "+t.file)
		if named[t.component] == nil {
			names = append(names, t.component)
			named[t.component] = []string{}
		}
		for _, name := range identify(t.content) {
			if !slices.Contains(named[t.component], name) {
				named[t.component] = append(named[t.component], name)
			}
		}
	}
	b.WriteString(heading + "\n")
	for _, name := range names {
		slices.Sort(named[name])
		fmt.Fprintf(&b, "%s (%s)\n", name, strings.Join(named[name], ", "))
	}
	for _, content := range order {
		b.WriteString("\n" + rule + strings.Join(users[content], "\n") + "\n" + rule + "\n" + content)
	}
	return b.String()
}
