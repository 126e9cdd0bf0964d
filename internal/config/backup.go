package config

import "os/exec"

// PgDump is the variable with the path of pg_dump; pg_restore has to be beside it.
const PgDump = "PG_DUMP"

// Backup are the settings of backups.
type Backup struct {
	PgDump string // Path of pg_dump; empty: the newest one that is installed.
}

// ReadBackup reads the settings of backups.
func ReadBackup(source Source) (Backup, error) {
	r := &reader{get: source}
	b := Backup{PgDump: r.text(PgDump, "")}
	if b.PgDump != "" {
		if _, err := exec.LookPath(b.PgDump); err != nil {
			r.addError(PgDump, "is %q, which is no program that can be run; give the path of pg_dump", b.PgDump)
		}
	}
	return b, r.err()
}
