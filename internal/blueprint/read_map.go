package blueprint

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// ReadMap returns the files of a blueprint that are given as texts by name, such as
// "migrations/0001_patients.sql". A name that no file of a folder can have is an error of
// KindInvalid with Problems.
func ReadMap(texts map[string]string) (fs.FS, error) {
	var c collector
	m := memoryFS{}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if !fs.ValidPath(name) || name == "." || strings.Contains(name, `\`) {
			c.add(name, 0, "is no path inside of a folder; write it as in migrations/0001_patients.sql")
			continue
		}
		m[name] = []byte(texts[name])
	}
	checkFolders(m, &c)
	if err := c.err("read blueprint"); err != nil {
		return nil, err
	}
	return m, nil
}
