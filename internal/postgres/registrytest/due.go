//go:build unix

package registrytest

import "time"

// The methods of this file are about what a reconciler does: due mail and contracts, and
// expired rows.

// MakeMailDue makes the welcome mails that are to be tried again due now.
func (r *Registry) MakeMailDue() {
	r.t.Helper()
	r.exec(`UPDATE tenants SET welcome_email_due_at = now() WHERE welcome_email_due_at IS NOT NULL`)
}

// MakeAllMailDue makes the welcome mails of all tenants due now, also those that are not
// to be tried again.
func (r *Registry) MakeAllMailDue() {
	r.t.Helper()
	r.exec(`UPDATE tenants SET welcome_email_due_at = now()`)
}

// DueMail is the number of welcome mails that are due.
func (r *Registry) DueMail() int {
	r.t.Helper()
	return value[int](r, `SELECT count(*) FROM tenants WHERE welcome_email = 'PENDING' AND welcome_email_due_at <= now()`)
}

// UnansweredMail is the number of welcome mails that the mail server may have without having
// answered.
func (r *Registry) UnansweredMail() int {
	r.t.Helper()
	return value[int](r, `SELECT count(*) FROM tenants WHERE welcome_email = 'PENDING' AND welcome_email_unanswered`)
}

// FailureMails is the number of failure mails that are due, now or later.
func (r *Registry) FailureMails() int {
	r.t.Helper()
	return value[int](r, `SELECT count(*) FROM tenants WHERE failure_email_due_at IS NOT NULL`)
}

// FailureMailIn is the time until the last failure mail is due; 0: none is, or it is due now.
func (r *Registry) FailureMailIn() time.Duration {
	r.t.Helper()
	return value[time.Duration](r, `SELECT greatest(coalesce(max(failure_email_due_at) - clock_timestamp(), '0'), '0') FROM tenants`)
}

// MakeFailureMailsDue makes a failure mail due now for each FAILED tenant.
func (r *Registry) MakeFailureMailsDue() {
	r.t.Helper()
	r.exec(`UPDATE tenants SET failure_email_due_at = now() WHERE status = 'FAILED'`)
}

// AgeFailureMails moves the times of all failure mails back, as if that much time had passed.
func (r *Registry) AgeFailureMails(age time.Duration) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET failure_email_due_at = failure_email_due_at - $1::interval`, age)
}

// DueContracts is the number of contracts that are due within a time from now.
func (r *Registry) DueContracts(in time.Duration) int {
	r.t.Helper()
	return value[int](r, `SELECT count(*) FROM tenant_contracts WHERE due_at < now() + $1::interval`, in)
}

// AddInvitations adds an invitation for each of these times since it expired, which is
// negative for one that is valid. They are of unknown tenants.
func (r *Registry) AddInvitations(used bool, ages ...time.Duration) {
	r.t.Helper()
	r.exec(`INSERT INTO tenant_invitations (token_hash, tenant_id, user_id, expires_at, used_at)
		SELECT sha256(gen_random_uuid()::text::bytea), gen_random_uuid(), gen_random_uuid(), now() - age, CASE WHEN $1::boolean THEN now() END
		FROM unnest($2::interval[]) age`, used, ages)
}

// AddRequests adds a request with an idempotency key for each of these times ago.
func (r *Registry) AddRequests(ages ...time.Duration) {
	r.t.Helper()
	r.exec(`INSERT INTO idempotency_keys (scope, key, request_hash, created_at)
		SELECT 'scope', gen_random_uuid()::text, sha256('x'), now() - age FROM unnest($1::interval[]) age`, ages)
}

// AddSessions adds a session of the console for each of these times since it expired, which is
// negative for one that is valid.
func (r *Registry) AddSessions(ages ...time.Duration) {
	r.t.Helper()
	r.exec(`INSERT INTO console_sessions (token_hash, subject, scopes, idle_timeout, expires_at)
		SELECT sha256(gen_random_uuid()::text::bytea), gen_random_uuid()::text, '{admin}', '1 hour', now() - age FROM unnest($1::interval[]) age`, ages)
}

// AgeSessions moves the times of all sessions of the console back: since they were seen, and until
// they expire.
func (r *Registry) AgeSessions(seen, expiry time.Duration) {
	r.t.Helper()
	r.exec(`UPDATE console_sessions SET last_seen_at = last_seen_at - $1::interval, expires_at = expires_at - $2::interval`, seen, expiry)
}

// Sessions is the number of sessions of the console that the registry has.
func (r *Registry) Sessions() int {
	r.t.Helper()
	return value[int](r, `SELECT count(*) FROM console_sessions`)
}

// Requests is the number of requests with an idempotency key.
func (r *Registry) Requests() int {
	r.t.Helper()
	return value[int](r, `SELECT count(*) FROM idempotency_keys`)
}

// AgeOwnSteps moves the times of all own steps back, as if their requests were that much older.
func (r *Registry) AgeOwnSteps(age time.Duration) {
	r.t.Helper()
	r.exec(`UPDATE tenant_steps SET sent_at = sent_at - $1::interval, undo_sent_at = undo_sent_at - $1::interval, due_at = due_at - $1::interval`, age)
}

// MakeOwnStepsDue makes the next request of each own step due now.
func (r *Registry) MakeOwnStepsDue() {
	r.t.Helper()
	r.exec(`UPDATE tenant_steps SET due_at = NULL`)
}

// ExpireInvitations lets all invitations expire now.
func (r *Registry) ExpireInvitations() {
	r.t.Helper()
	r.exec(`UPDATE tenant_invitations SET expires_at = now()`)
	r.exec(`UPDATE tenants SET invitation_expires_at = now() WHERE invitation_expires_at IS NOT NULL`)
}

// AgeInvitations moves the times of all invitations back, as if they were that much older.
func (r *Registry) AgeInvitations(age time.Duration) {
	r.t.Helper()
	r.exec(`UPDATE tenant_invitations SET expires_at = expires_at - $1::interval`, age)
	r.exec(`UPDATE tenants SET invitation_expires_at = invitation_expires_at - $1::interval, invitation_sent_at = invitation_sent_at - $1::interval,
		invitation_reminder_at = invitation_reminder_at - $1::interval`, age)
}

// InvitationEnds is the number of different times at which invitations that were not revoked end.
func (r *Registry) InvitationEnds() int {
	r.t.Helper()
	return value[int](r, `SELECT count(DISTINCT expires_at) FROM tenant_invitations WHERE revoked_at IS NULL`)
}

// SentNow lets the mails of all invitations be sent now.
func (r *Registry) SentNow() {
	r.t.Helper()
	r.exec(`UPDATE tenants SET invitation_sent_at = now() WHERE invitation_sent_at IS NOT NULL`)
}
