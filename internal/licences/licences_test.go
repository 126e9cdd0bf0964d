package licences

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestGo_UpToDate: each Go module in the programs of a release has its licence texts in
// their archives.
func TestGo_UpToDate(t *testing.T) {
	t.Parallel()
	want, err := Go(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, "licences/go.txt"); got != want {
		t.Error("licences/go.txt is not what the modules have: run make generate, and commit it")
	}
}

// TestCrates_UpToDate: the file was written from the crates' present Cargo.lock files. It
// needs no cargo.
func TestCrates_UpToDate(t *testing.T) {
	t.Parallel()
	want, err := Digests(root)
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, "licences/crates.txt")
	if !strings.Contains(got, want) {
		t.Error("licences/crates.txt is of another Cargo.lock: run make licences-crates, and commit it")
	}
	for _, name := range []string{"soroban-sdk v", "soroban-env-host v", "wasmi_core v", "curve25519-dalek v"} {
		if !strings.Contains(got, "\n"+name) {
			t.Errorf("%s is missing", name)
		}
	}
	if strings.Contains(got, " ()\n") {
		t.Error("a crate has no known licence")
	}
}

// TestArchives_HaveLicences: each archive of a release has both files.
func TestArchives_HaveLicences(t *testing.T) {
	t.Parallel()
	_, archives, _ := strings.Cut(read(t, ".goreleaser.yml"), "\narchives:\n")
	archives, _, _ = strings.Cut(archives, "\nsboms:")
	for _, name := range []string{"licences/go.txt", "licences/crates.txt"} {
		// The provider, and the two companions, which share their files.
		if n := strings.Count(archives, "src: "+name); n != 2 || strings.Count(archives, "files:") != 2 {
			t.Errorf("%s is in %d lists of files", name, n)
		}
	}
}

func TestIdentify(t *testing.T) {
	t.Parallel()
	const permission = "Permission is hereby granted, free of\n// charge, to any person obtaining a copy of this software"
	for content, want := range map[string]string{
		permission: "MIT",
		"Redistribution and use in source and binary forms, with or without":                                                     "BSD-2-Clause",
		"Redistribution and use in source and\nbinary forms ... may be used to endorse or promote products":                      "BSD-3-Clause",
		"Licensed under the Apache License, Version 2.0\n\n" + permission:                                                        "Apache-2.0 MIT",
		"GNU GENERAL PUBLIC LICENSE Version 3, 29 June 2007. Everyone is permitted to copy and distribute verbatim copies of it": "",
		"All rights reserved. You may use this software for evaluation.":                                                         "",
	} {
		if got := strings.Join(identify(content), " "); got != want {
			t.Errorf("%q is %q, want %q", content, got, want)
		}
	}
}

func TestCheckKnown(t *testing.T) {
	t.Parallel()
	mit := text{"x v1", "LICENSE", "Permission is hereby granted, free of charge, to any person obtaining a copy"}
	long := text{"x v1", "COPYING", strings.Repeat("You may not use this. ", 30)}
	for name, c := range map[string]struct {
		texts []text
		want  string
	}{
		"Known":        {[]text{mit}, ""},
		"Pointer":      {[]text{mit, {"x v1", "COPYING", "This project is licensed as LICENSE says."}}, ""},
		"Notice":       {[]text{mit, {"x v1", "NOTICE", strings.Repeat("Copyright of many. ", 50)}}, ""},
		"None":         {nil, "x v1: it has no licence text"},
		"NoticeAlone":  {[]text{{"x v1", "NOTICE", "Copyright"}}, "x v1: it has no licence text"},
		"Unknown":      {[]text{long}, "x v1: its licence in COPYING is unknown"},
		"OneIsUnknown": {[]text{mit, long}, "x v1: its licence in COPYING is unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := checkKnown("x v1", c.texts)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestModuleTexts: code of others inside a module has its licence beside it.
func TestModuleTexts(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name, content string) {
		file := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("LICENSE", "Permission is hereby granted, free of charge, to any person obtaining a copy\r\n")
	write("a/copied/LICENSE.txt", "Redistribution and use in source and binary forms")
	write("a/copied/license.go", "package copied")
	write("unused/LICENSE", "not read")
	m := module{name: "x v1", folder: folder, folders: []string{filepath.Join(folder, "a", "copied", "inner")}}
	write("a/copied/inner/code.go", "package inner")
	texts, err := m.texts()
	if err != nil || len(texts) != 2 || texts[1].file != "a/copied/LICENSE.txt" || strings.Contains(texts[0].content, "\r") {
		t.Errorf("%+v, %v", texts, err)
	}
	if got := render("Heading", texts); !strings.Contains(got, "x v1 (BSD-2-Clause, MIT)\n") {
		t.Errorf("%s", got)
	}
}
