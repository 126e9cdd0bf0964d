package registrytest

// ID is the id of the registry.
func (r *Registry) ID() string {
	r.t.Helper()
	return value[string](r, `SELECT id::text FROM registry`)
}

// SetVersion gives all tenants a version, as a restore from a backup does.
func (r *Registry) SetVersion(version int) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET version = $1`, version)
}

// SetTimeline gives the registry a timeline, as a restore from a backup does.
func (r *Registry) SetTimeline(timeline int) {
	r.t.Helper()
	r.exec(`UPDATE registry SET timeline = $1`, timeline)
}

// NewID gives the registry another id: databases of tests are copies of one.
func (r *Registry) NewID() string {
	r.t.Helper()
	return value[string](r, `UPDATE registry SET id = gen_random_uuid() RETURNING id::text`)
}

// MarkRestored records that the registry was restored from a backup.
func (r *Registry) MarkRestored() {
	r.t.Helper()
	r.exec(`UPDATE registry SET restore_evidence = 'anchors are ahead'`)
}
