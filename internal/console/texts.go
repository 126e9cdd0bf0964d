package console

import "strings"

// statusTexts are the statuses that pages show, by the API's words.
var statusTexts = map[string]string{
	"PENDING": "Pending", "PROVISIONING": "Provisioning", "ACTIVE": "Active", "SUSPENDED": "Suspended", "FAILED": "Failed", "ARCHIVED": "Archived", "PURGED": "Purged",
	"IN_PROGRESS": "Running", "COMPLETED": "Done", "ROLLED_BACK": "Rolled back", "SKIPPED": "Skipped", "WAITING": "Waiting",
	"SENT": "Sent", "NONE": "None", "ACCEPTED": "Accepted", "EXPIRED": "Expired", "REVOKED": "Revoked",
	"IN_SYNC": "In sync", "DRIFTED": "Drifted", "MISSING": "Missing", "LIVE": "Live", "EXPIRING": "Expiring", "MISMATCH": "Mismatch",
	"ok": "OK", "degraded": "Degraded", "unavailable": "Unavailable",
	"free": "Free", "in_use": "In use", "quarantined": "Quarantined", "disabled": "Disabled",
	"active": "Active", "revoked": "Revoked", "expired": "Expired",
	"online": "Online", "locks": "Locks", "scans": "Scans", "rewrites": "Rewrites",
	"DONE": "Done", "REJECTED": "Rejected",
}

// stepTexts are the seven steps in plain words.
var stepTexts = map[string]string{
	"CREATE_TENANT_RECORD": "Record the tenant", "CREATE_SCHEMA": "Create the schema", "RUN_MIGRATIONS": "Run migrations",
	"SEED_ROLES_AND_USER": "Create roles and administrator", "DEPLOY_SOROBAN_CONTRACT": "Deploy the contract",
	"STORE_CONTRACT_ADDRESS": "Store the contract's address", "SEND_WELCOME_EMAIL": "Send the welcome mail",
}

// stepText names a step; an own step of a blueprint by its words.
func stepText(language, step string) string {
	if text := stepTexts[step]; text != "" {
		return translate(language, text)
	}
	words := strings.ToLower(strings.ReplaceAll(step, "_", " "))
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// doneTexts say what a form has done, by the value of the parameter done.
var doneTexts = map[string]string{
	"create": "The tenant is being provisioned.", "edit": "The change is saved.",
	"retry": "Another attempt is queued.", "suspend": "The tenant is suspended.", "resume": "The tenant is in service again.",
	"archive": "The tenant is archived. Its data is kept.", "unarchive": "The tenant is in service again.", "invite": "The invitation is on its way.",
	"hold": "The legal hold is set.", "clear-hold": "The legal hold is cleared.", "purge": "The tenant's data is deleted.", "repair": "The drift is repaired.",
	"reconcile-contract": "The contract is reconciled.", "migrate": "The tenant is migrated.", "skip-undo": "The undo is skipped.",
	"queued":      "A worker will do it. This page shows when it is done.",
	"close-login": "The login has ended.",
	"activate":    "New tenants are made from this revision.", "retire": "No new tenants are made from this blueprint.", "revoke": "The key is revoked.",
}
