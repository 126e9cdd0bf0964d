package blueprint

// ParseMigration reads one migration, whose name is that in the blueprint's folder, such as
// "migrations/0001_patients.sql". Its problems are one error, as those of Parse.
func ParseMigration(name string, content []byte) (Migration, error) {
	c := &collector{}
	m, _ := parseMigration(c, file{name, content}, false)
	return m, c.err("parse migration")
}
