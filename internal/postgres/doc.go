// Package postgres opens a PostgreSQL database, version 13 to 18, and the stores on it. Each
// store is a package of one concern; they implement the ports of the domain packages.
//
// Guarantees: a step and its record commit together; a write of a superseded run
// changes nothing and returns errs.KindFenced; all times are the server's, so clocks
// of clients do not matter. A foreground run makes three commits: record and claim;
// role, schema, tables, rows, grants and log in one round trip; the final update.
// Transactions on the Stellar network add one commit before each is sent.
//
// Errors have a message for people, without host, user or statement; the driver's
// error is the cause, for the log.
package postgres
