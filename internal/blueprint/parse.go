package blueprint

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
)

// MaxMigrations is how many migrations a blueprint may have.
const MaxMigrations = 1000

// Parse reads and checks a blueprint. All problems of its files are in one error of
// KindInvalid, which errors.As finds as Problems.
func Parse(files fs.FS) (Blueprint, error) { return parse(files, false) }

// parse does so. The embedded blueprint (own) may have the reserved name and SECURITY DEFINER.
func parse(fsys fs.FS, own bool) (Blueprint, error) {
	c := &collector{}
	files := collectFiles(fsys, c)
	var b Blueprint
	hasConfig := false
	seedFile := "" // The migration that has the seed.
	for _, f := range files {
		switch folder, _ := path.Split(f.name); folder {
		case migrationFolder + "/":
			m, seedLine := parseMigration(c, f, own)
			if seedLine > 0 && seedFile != "" {
				c.add(f.name, seedLine, `"-- +blueprint seed" is also in %s; the rows are inserted once, remove one`, seedFile)
			}
			if seedLine > 0 {
				seedFile = f.name
			}
			b.Migrations = append(b.Migrations, m)
		case sampleFolder + "/":
			b.Samples = append(b.Samples, parseSample(c, f))
		case mailFolder + "/":
			b.Mails = append(b.Mails, MailFile{f.name, f.text()})
		default:
			hasConfig = true
			parseConfig(c, f.text(), own, &b)
		}
	}
	if !hasConfig && !slices.ContainsFunc(c.problems, func(p Problem) bool { return p.File == configFile }) {
		c.add(configFile, 0, "is missing; write it, with apiVersion, kind and name")
	}
	checkNumbers(c, &b)
	checkMails(c, &b)
	if b.Extends == BaseNone && seedFile != "" && !own {
		c.add(seedFile, 0, `"-- +blueprint seed" cannot be with extends: none, where the product inserts no rows; remove it`)
	}
	if err := c.err("parse blueprint"); err != nil {
		return Blueprint{}, err
	}
	b.SHA256 = digest(files)
	return b, nil
}

// checkNumbers sorts migrations and samples by number, and refuses gaps.
func checkNumbers(c *collector, b *Blueprint) {
	slices.SortStableFunc(b.Migrations, func(x, y Migration) int { return cmp.Compare(x.Version, y.Version) })
	slices.SortStableFunc(b.Samples, func(x, y Sample) int { return cmp.Compare(x.Version, y.Version) })
	if len(b.Migrations) > MaxMigrations {
		c.add(migrationFolder, 0, "has %d files; at most %d are possible", len(b.Migrations), MaxMigrations)
		return
	}
	last := 0
	for i, m := range b.Migrations {
		switch {
		case m.Version == last && i > 0:
			c.add(m.File, 0, "has the number %d, as %s; renumber one", m.Version, b.Migrations[i-1].File)
		case m.Version != last+1:
			c.add(m.File, 0, "has the number %d, and no file has %d; numbers begin with 1 and have no gaps, renumber it", m.Version, last+1)
		}
		last = m.Version
	}
	for _, s := range b.Samples {
		if s.Version < 1 || s.Version > last {
			c.add(s.File, 0, "has the number %d, which no migration has; give it that of the migration whose tables it fills", s.Version)
		}
	}
}
