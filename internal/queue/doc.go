// Package queue lets workers provision tenants, with River in the registry's PostgreSQL: a
// tenant and its provisioning job commit in one transaction, so neither exists without the
// other.
//
// A job contains only the tenant's id. The progress of the tenant is in the registry
// (package provisioning), and tenants.job_id names the job that must still complete the
// tenant; a row of River is only a reminder. Faults of these rows are therefore harmless: a
// job that runs twice is stopped by the tenant's lease, one that runs late finds a
// completed tenant, and one that was lost with its worker is replaced by the reconciler as
// soon as the lease expires, long before River would rescue it.
//
// For the same reason the queue's connections do not wait for the disk (synchronous_commit
// is off): after a crash of the server a row returns to an earlier state, and the tenant is
// checked once more. Only the rows that Enqueue writes are as durable as the caller's
// transaction.
//
// Finished rows are deleted after a while: the queue is not an audit log.
package queue
