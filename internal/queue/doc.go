// Package queue has tenants provisioned by workers, through River on the
// registry's own PostgreSQL: a tenant and the job that is to take it live commit
// in one transaction, so there is never one without the other.
//
// A job holds nothing but the tenant's id. How far the tenant is stands in the
// registry (package provisioning), and tenants.job_id says which job owes it an
// end; a row of River's is a reminder that somebody has to look. So everything
// that goes wrong with those rows is harmless: a job that runs twice meets the
// tenant's lease, one that runs late finds the tenant at rest, and one that was
// lost with its worker is replaced by the reconciler as soon as the lease is
// out, long before River would rescue it.
//
// For the same reason the queue's own connections do not wait for the disk
// (synchronous_commit is off): should the server crash, a row falls back to an
// earlier state, and that state leads to another look. Only what Enqueue writes
// is durable, as durable as the caller's transaction.
//
// Finished rows are deleted after a while, so this is no audit log.
package queue
