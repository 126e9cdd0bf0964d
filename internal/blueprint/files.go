package blueprint

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Limits of a blueprint's files. Those that are ignored do not count.
const (
	MaxFiles     = 2000
	MaxFileBytes = 4 << 20
	MaxBytes     = 8 << 20

	maxEntries = 10000 // Of a folder or tar, with what is ignored.
)

// configFile is the one file that each blueprint has.
const configFile = "blueprint.yaml"

// The folders of a blueprint.
const (
	migrationFolder = "migrations"
	sampleFolder    = "samples"
	mailFolder      = "mail"
)

var (
	sqlName  = regexp.MustCompile(`^([0-9]{4,5})_[A-Za-z0-9][A-Za-z0-9_.-]{0,79}\.sql$`)
	mailName = regexp.MustCompile(`^(welcome|failure|reminder)(?:\.([^.]+))?\.(?:txt|html)$`)
)

// file is one file of a blueprint.
type file struct {
	name    string
	content []byte
}

// version is the number in the name of a migration or sample.
func (f file) version() int {
	number, err := strconv.Atoi(sqlName.FindStringSubmatch(path.Base(f.name))[1])
	if err != nil {
		return 0 // Cannot be: the pattern has five digits at most.
	}
	return number
}

// text is the content with line feeds alone, so that a file is the same whatever line ends
// version control gave it.
func (f file) text() []byte {
	if strings.HasSuffix(f.name, ".png") {
		return f.content
	}
	return bytes.ReplaceAll(f.content, []byte("\r\n"), []byte("\n"))
}

// ReadDir reads the files of a blueprint from a folder into memory. Hidden files and those
// whose name begins with README are ignored; anything else that belongs to no blueprint is an
// error of KindInvalid with Problems.
func ReadDir(dir string) (fs.FS, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		var c collector
		c.add(dir, 0, "%s; give the folder with %s", notAFolder(err), configFile)
		return nil, c.err("read blueprint")
	}
	var c collector
	m := memoryFS{}
	for _, f := range collectFiles(os.DirFS(dir), &c) {
		m[f.name] = f.content
	}
	if err := c.err("read blueprint"); err != nil {
		return nil, err
	}
	return m, nil
}

func notAFolder(err error) string {
	if err == nil {
		return "is no folder"
	}
	return "cannot be read: " + cause(err)
}

// cause is the text of an error of a file system without the path, which the problem has.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return err.Error()
}

// collectFiles reads the files that belong to a blueprint, by name, and adds a problem for
// each that does not.
func collectFiles(fsys fs.FS, c *collector) []file {
	var files []file
	entries, total := 0, 0
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if entries++; entries > maxEntries {
			c.add(".", 0, "has more than %d files and folders; give the folder of the blueprint alone", maxEntries)
			return fs.SkipAll
		}
		switch take, err := examine(c, name, entry, err); {
		case err != nil || !take:
			return err
		case len(files) == MaxFiles:
			c.add(name, 0, "is one file too many; a blueprint has at most %d", MaxFiles)
			return fs.SkipAll
		}
		content, ok := readFile(fsys, name, c)
		if total += len(content); total > MaxBytes {
			c.add(name, 0, "makes the blueprint larger than %d MiB; shorten its files", MaxBytes>>20)
			return fs.SkipAll
		}
		if ok {
			files = append(files, file{name, content})
		}
		return nil
	})
	if err != nil {
		c.add(".", 0, "cannot be read: %s", cause(err))
	}
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.name, b.name) })
	return files
}

// examine reports whether a file belongs to a blueprint.
func examine(c *collector, name string, entry fs.DirEntry, err error) (bool, error) {
	switch {
	case err != nil:
		c.add(name, 0, "cannot be read: %s", cause(err))
		if entry != nil && entry.IsDir() {
			return false, fs.SkipDir
		}
		return false, nil
	case name == ".":
		return false, nil
	case ignored(name) && entry.IsDir():
		return false, fs.SkipDir
	case ignored(name):
		return false, nil
	case entry.IsDir() && !slices.Contains([]string{migrationFolder, sampleFolder, mailFolder}, name):
		c.add(name, 0, "is no folder of a blueprint; known are %s, %s and %s", mailFolder, migrationFolder, sampleFolder)
		return false, fs.SkipDir
	case entry.IsDir():
		return false, nil
	case !entry.Type().IsRegular():
		c.add(name, 0, "is a link or another special file; put the file itself here")
		return false, nil
	}
	if fault := misplaced(name); fault != "" {
		c.add(name, 0, "%s", fault)
		return false, nil
	}
	return true, nil
}

// ignored reports hidden files and files for readers.
func ignored(name string) bool {
	base := path.Base(name)
	return strings.HasPrefix(base, ".") || strings.HasPrefix(strings.ToUpper(base), "README")
}

// misplaced says why a file belongs to no blueprint; empty if it does.
func misplaced(name string) string {
	folder, base := path.Split(name)
	switch {
	case name == configFile:
		return ""
	case folder == migrationFolder+"/" && sqlName.MatchString(base), folder == sampleFolder+"/" && sqlName.MatchString(base):
		return ""
	case folder == migrationFolder+"/":
		return "is no migration; name it like 0001_patients.sql: four or five digits, an underscore, letters, digits, _ or -, and .sql"
	case folder == sampleFolder+"/":
		return "is no sample; name it like 0001_some_rows.sql, with the number of the migration whose tables it fills"
	case folder == mailFolder+"/":
		if match := mailName.FindStringSubmatch(base); base == "logo.png" || match != nil && (match[2] == "" || validLocale(match[2])) {
			return ""
		}
		return "is no mail; known are welcome, failure and reminder with .txt or .html, or with a locale before it (welcome.de.txt), and logo.png"
	case folder == "" && strings.HasPrefix(base, "blueprint."):
		return "is not read; rename it to " + configFile
	}
	return fmt.Sprintf("belongs to no blueprint, which has %s and the folders %s, %s and %s; remove it, or begin its name with README or a dot", configFile, mailFolder, migrationFolder, sampleFolder)
}

func readFile(fsys fs.FS, name string, c *collector) ([]byte, bool) {
	f, err := fsys.Open(name)
	if err != nil {
		c.add(name, 0, "cannot be read: %s", cause(err))
		return nil, false
	}
	defer f.Close() //nolint:errcheck // It was only read.
	content, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	switch {
	case err != nil:
		c.add(name, 0, "cannot be read: %s", cause(err))
	case len(content) > MaxFileBytes:
		c.add(name, 0, "has more than %d MiB; divide it", MaxFileBytes>>20)
	default:
		return content, true
	}
	return nil, false
}

// digest is the SHA-256 of all files, in hex: for each, by name, the lengths and texts of
// name and content.
func digest(files []file) string {
	h := sha256.New()
	for _, f := range files {
		content := f.text()
		h.Write(fmt.Appendf(nil, "%d:%s%d:", len(f.name), f.name, len(content)))
		h.Write(content)
	}
	return hex.EncodeToString(h.Sum(nil))
}
