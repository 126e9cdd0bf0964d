//go:build unix

package registrytest

// LockInvitations keeps all others from writing invitations until release is called.
func (r *Registry) LockInvitations() (release func()) {
	r.t.Helper()
	tx, err := r.conn.Begin(r.ctx())
	r.must(err)
	_, err = tx.Exec(r.ctx(), `LOCK TABLE tenant_invitations IN EXCLUSIVE MODE`)
	r.must(err)
	return func() { r.must(tx.Rollback(r.ctx())) }
}
