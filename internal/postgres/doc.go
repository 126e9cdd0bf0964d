// Package postgres keeps the registry of tenants, their leases and logs, and
// makes their schemas, in PostgreSQL 13 to 18. It implements the ports
// Registry, Runs, Journal and AccountLease of package provisioning.
//
// What it guarantees: a step and the record of it commit together; a write of a
// run that was overtaken changes nothing and returns errs.KindFenced;
// time is the server's alone, so clocks of clients do not matter. A foreground
// run makes three commits: record and claim; role, schema, tables, rows, grants
// and log in one round trip; the final update. Transactions on the Stellar
// network add one commit before each is sent.
//
// Errors carry a message for people, which names no host, user or statement; the
// driver's own error is the cause, for the log.
package postgres
