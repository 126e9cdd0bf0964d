package blueprint

// permitted are the commands that a migration may begin with. All others are refused, also
// those of PostgreSQL's later versions.
var permitted = []string{
	"ALTER", "ANALYZE", "CALL", "COMMENT", "CREATE", "DELETE", "DO", "DROP", "EXPLAIN", "INSERT", "LOCK", "MERGE", "REFRESH",
	"REINDEX", "SECURITY", "SELECT", "SET", "SHOW", "TABLE", "TRUNCATE", "UPDATE", "VALUES", "WITH",
}

// permittedInSamples are those of rows: a sample must not change the structure on which the
// next migration is tried.
var permittedInSamples = []string{"CALL", "DELETE", "DO", "INSERT", "MERGE", "SELECT", "SET", "TABLE", "UPDATE", "VALUES", "WITH"}

// The remedies of refusals.
const (
	inOneTransaction = "all files of a new tenant run in one transaction, which the product begins and ends; remove it"
	byTheDBA         = "it belongs to the database or the server and not to one tenant; remove it, a DBA makes it once"
	inTheFile        = "privileges are not given in SQL; say it under privileges or grants in blueprint.yaml"
	onTheConnection  = "it outlasts the transaction and would be found by the next tenant's statements; remove it"
	ofTheServer      = "roles belong to the whole server; remove it, and name roles of the platform under grants in blueprint.yaml"
	asOwner          = "all statements run as the owner of the tenant's schema; remove it"
)

// refusedCommands says why a command is refused, and what to do.
var refusedCommands = map[string]string{
	"BEGIN": inOneTransaction, "START TRANSACTION": inOneTransaction, "COMMIT": inOneTransaction, "END": inOneTransaction,
	"ROLLBACK": inOneTransaction, "ABORT": inOneTransaction, "SAVEPOINT": inOneTransaction, "RELEASE": inOneTransaction,
	"PREPARE": onTheConnection, "EXECUTE": onTheConnection, "DEALLOCATE": onTheConnection, "DISCARD": onTheConnection,
	"LISTEN": onTheConnection, "UNLISTEN": onTheConnection, "DECLARE": onTheConnection, "RESET": onTheConnection,
	"GRANT": inTheFile, "REVOKE": inTheFile, "ALTER DEFAULT PRIVILEGES": inTheFile,
	"DROP OWNED":            "it drops the objects of all tenants; drop each object by its name",
	"REASSIGN OWNED":        asOwner,
	"NOTIFY":                "it reaches the whole database; remove it",
	"COPY":                  "rows from a file or a client do not exist here; write INSERT INTO ... VALUES",
	"VACUUM":                "it cannot be in a transaction; remove it, autovacuum does it",
	"CLUSTER":               "it locks out all readers while it rewrites the table; remove it",
	"CHECKPOINT":            byTheDBA,
	"LOAD":                  byTheDBA,
	"IMPORT FOREIGN SCHEMA": "write CREATE FOREIGN TABLE for each table, so that all tenants have the same",
}

// refusedObjects says why a kind of object cannot be made, changed, dropped or commented.
var refusedObjects = map[string]string{
	"ROLE":                 ofTheServer,
	"USER":                 ofTheServer,
	"GROUP":                ofTheServer,
	"SCHEMA":               "a tenant has one schema, which the product makes; remove it, and write names without a schema",
	"EXTENSION":            "a DBA installs extensions; name it under extensions in blueprint.yaml",
	"DATABASE":             byTheDBA,
	"TABLESPACE":           byTheDBA,
	"SUBSCRIPTION":         byTheDBA,
	"PUBLICATION":          byTheDBA,
	"EVENT TRIGGER":        byTheDBA,
	"SERVER":               byTheDBA,
	"FOREIGN DATA WRAPPER": byTheDBA,
	"USER MAPPING":         byTheDBA,
	"LANGUAGE":             byTheDBA,
	"ACCESS METHOD":        byTheDBA,
	"LARGE OBJECT":         "large objects have no schema; store the bytes in a column of type bytea",
	"SYSTEM":               byTheDBA,
}

// refusedSettings says why a setting cannot be changed in a migration, and what to do.
var refusedSettings = map[string]string{
	"role": asOwner, "session_authorization": asOwner,
	"search_path":                         "the path is the tenant's schema; write names without a schema, and remove it",
	"standard_conforming_strings":         "strings are read in the standard way; write E'...' where a string has escapes",
	"backslash_quote":                     "strings are read in the standard way; write two single quotes for one",
	"client_encoding":                     "files are UTF-8; remove it",
	"statement_timeout":                   "the run sets its own time limits; remove it",
	"lock_timeout":                        "the run sets its own time limits; remove it",
	"transaction_timeout":                 "the run sets its own time limits; remove it",
	"idle_in_transaction_session_timeout": "the run sets its own time limits; remove it",
	"transaction":                         inOneTransaction,
	"transaction_isolation":               inOneTransaction,
	"transaction_read_only":               inOneTransaction,
	"transaction_deferrable":              inOneTransaction,
	"session characteristics":             inOneTransaction,
	"session_replication_role":            "it turns off the triggers and foreign keys of all tables; remove it",
	"synchronous_commit":                  "a tenant that is reported as made must survive a crash; remove it",
}

// sessionSettings are the settings that the functions of a tenant cannot change either.
var sessionSettings = []string{"role", "session_authorization", "search_path", "all"}
