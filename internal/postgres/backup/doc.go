// Package backup writes all of one tenant to a folder, and makes the tenant again from it, in the same
// registry or in another one: the schema with its data as pg_dump writes it, the tenant's rows of the
// registry with its audit chain, and the blueprint's revision. A manifest has the hash of each file.
//
// All of it is of one moment: pg_dump reads in the snapshot of the transaction that reads the rows.
// Logins are left out, since their passwords end within a day, and so are the rows of other tenants, the
// channel accounts and the API keys: a backup of the whole database has those.
//
// A restore never writes over data. It makes the schema if there is none, and fills one that is empty;
// rows of the registry are restored only where the tenant is unknown, because newer ones are right.
package backup
