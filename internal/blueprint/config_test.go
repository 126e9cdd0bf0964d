package blueprint_test

import (
	"fmt"
	"strings"
	"testing"
)

// configCases are files of which each has one problem. beyond are those that the JSON schema
// cannot see.
var configCases = []struct {
	name, yaml, want string
	beyond           bool
}{
	// Rules of YAML, and what a blueprint has no use for.
	{"NoYAML", "name: [a\n", "blueprint.yaml:1: is no YAML: ", false},
	{"Tab", head + "mail:\n\tlocale: en\n", "blueprint.yaml:5: is no YAML: found character '\\t'", false},
	{"Empty", "# nothing\n", "blueprint.yaml:1: has 0 documents; write one", false},
	{"TwoDocuments", head + "---\nname: b\n", "blueprint.yaml:1: has 2 documents", true},
	{"List", "- name: a\n", "blueprint.yaml:1: is a list; write keys and values", false},
	{"Text", "name\n", "blueprint.yaml:1: is a text; write keys and values", false},
	{"Anchor", head + "mail: &m {locale: en}\n", "blueprint.yaml:4: has an anchor or alias", true},
	{"Alias", head + "mail: *m\n", "blueprint.yaml:4: has an anchor or alias", false},
	{"MergeKey", head + "<<: {extends: none}\n", "blueprint.yaml:4: has an anchor or alias", true},
	{"Tag", head + "extends: !!str none\n", "blueprint.yaml:4: has a tag, directive or complex key", true},
	{"Directive", "%YAML 1.2\n---\n" + head, "blueprint.yaml:1: has a tag, directive or complex key", true},
	{"ComplexKey", head + "? extends\n: none\n", "blueprint.yaml:4: has a tag, directive or complex key", true},
	{"NestedFlow", head + "roles: " + strings.Repeat("[", 100000) + "\n", "blueprint.yaml:4: is nested too deeply", false},
	{"NestedMappings", head + "roles: " + strings.Repeat("{a: ", 17) + "1" + strings.Repeat("}", 17) + "\n", "blueprint.yaml:4: is nested too deeply", false},
	{"NestedDashes", head + "roles: \n" + strings.Repeat("- ", 20) + "a\n", "blueprint.yaml:5: is nested too deeply", false},
	{"Indented", head + "roles:\n" + strings.Repeat(" ", 65) + "- {name: a}\n", "blueprint.yaml:5: is nested too deeply", true},
	{"Large", head + "#" + strings.Repeat("x", 256<<10), "blueprint.yaml: has more than 256 kB", true},
	{"Lines", head + strings.Repeat("\n", 4998), "blueprint.yaml: has more than 5000 lines; write lists in brackets", true},
	{"LinesOfOldMacs", head + strings.Repeat("\r", 4998), "blueprint.yaml: has more than 5000 lines", true},

	// Keys and types.
	{"UnknownKey", head + "rolls: []\n", `blueprint.yaml:4: unknown key "rolls"; known are apiVersion, contract, extends, `, false},
	{"UnknownInnerKey", head + "mail:\n  locale: en\n  name: x\n", `blueprint.yaml:6: unknown key "name" in mail; known are locale, product_name, support`, false},
	{"UnknownItemKey", head + "roles: [{name: a}, {name: b, descr: x}]\n", `unknown key "descr" in roles[1]; known are description, name`, false},
	{"LongKey", head + strings.Repeat("k", 1000) + ": 1\n", `unknown key "` + strings.Repeat("k", 60) + `..."`, false},
	{"KeyTwice", head + "extends: none\nextends: none\n", `blueprint.yaml:5: the key "extends" is there twice, first in line 4; remove one`, false},
	{"InnerKeyTwice", head + "mail: {locale: en, locale: de}\n", `blueprint.yaml:4: the key "locale" in mail is there twice`, false},
	{"NoName", "apiVersion: healthcare-platform/v1\nkind: Blueprint\n", `blueprint.yaml:1: the key "name" is missing; add it`, false},
	{"NoKind", "apiVersion: healthcare-platform/v1\nname: a\n", `the key "kind" is missing`, false},
	{"NoVersion", "kind: Blueprint\nname: a\n", `the key "apiVersion" is missing`, false},
	{"OtherVersion", strings.Replace(head, "v1", "v2", 1), `blueprint.yaml:1: apiVersion is "healthcare-platform/v2"; write healthcare-platform/v1`, false},
	{"OtherKind", strings.Replace(head, "Blueprint", "Tenant", 1), `blueprint.yaml:2: kind is "Tenant"; write Blueprint`, false},
	{"NumberForText", head + "mail: {product_name: 42}\n", "blueprint.yaml:4: mail.product_name is a number; write a text, in quotes", false},
	{"BoolForText", head + "mail: {product_name: true}\n", "mail.product_name is true or false; write a text, in quotes", false},
	{"ListForText", head + "extends: [none]\n", "extends is a list; write a text", false},
	{"MappingForText", head + "extends: {a: b}\n", "extends is a mapping; write a text", false},
	{"EmptyText", head + "extends:\n", "blueprint.yaml:4: extends is empty; write a text", false},
	{"TextForList", head + "roles: admin\n", "blueprint.yaml:4: roles is a text; write a list", false},
	{"EmptyForList", head + "steps:\n", "steps is empty; write a list", false},
	{"TextForMapping", head + "mail: en\n", "mail is a text; write keys and values", false},
	{"TextForItem", head + "roles: [admin]\n", "roles[0] is a text; write keys and values", false},
	{"EmptyForMapping", head + "variables:\n", "variables is empty; write keys and values", false},

	// Name, base, contract.
	{"Standard", strings.Replace(head, "clinic", "standard", 1), `name is "standard", the name of the embedded blueprint`, false},
	{"OperationsName", strings.Replace(head, "clinic", "validate", 1), `name is "validate", which is an operation of the REST API`, false},
	{"UpperCaseName", strings.Replace(head, "clinic", "Clinic", 1), `name is "Clinic"; write lower-case letters`, false},
	{"LongName", strings.Replace(head, "clinic", strings.Repeat("a", 64), 1), "name has 64 bytes; at most 63", false},
	{"OtherBase", head + "extends: clinic\n", `extends is "clinic"; write standard or none`, false},
	{"OtherContract", head + "contract: own\n", `contract is "own"; write standard or none`, false},

	// Roles.
	{"RolesWithNone", head + "extends: none\nroles: [{name: a}]\n", "blueprint.yaml:5: roles cannot be with extends: none", false},
	{"NoRoles", head + "roles: []\n", "roles is an empty list; name at least", false},
	{"ManyRoles", head + "roles: [" + repeat("{name: r%d}", 65) + "]\n", "roles has 65 entries; at most 64", false},
	{"RoleWithoutName", head + "roles:\n- description: x\n", `blueprint.yaml:5: the key "name" in roles[0] is missing`, false},
	{"RoleTwice", head + "roles:\n- name: a\n- name: a\n", `blueprint.yaml:6: roles[1] has the name "a", as a role before it`, true},
	{"EmptyRole", head + "roles: [{name: ''}]\n", "roles[0].name is empty", false},
	{"LongRole", head + "roles: [{name: " + strings.Repeat("é", 256) + "}]\n", "roles[0].name has 256 characters; at most 255", false},
	{"RoleOfTwoLines", head + "roles: [{name: \"a\\nb\"}]\n", "roles[0].name has a control character or line break at byte 1", false},
	{"LongDescription", head + "roles: [{name: a, description: " + strings.Repeat("x", 1025) + "}]\n", "description has 1025 characters; at most 1024", false},

	// Variables.
	{"ManyVariables", head + "variables: {" + repeat("v%d: {}", 65) + "}\n", "variables has 65 entries; at most 64", false},
	{"VariableName", head + "variables:\n  Region: {}\n", `blueprint.yaml:5: variables has a name that reads "Region"; write lower-case letters`, false},
	{"VariableNameWithDash", head + "variables: {a-b: {}}\n", `reads "a-b"`, false},
	{"LongVariableName", head + "variables: {" + strings.Repeat("a", 64) + ": {}}\n", "variables has a name that has 64 bytes", false},
	{"VariableKey", head + "variables: {a: {patern: x}}\n", `unknown key "patern" in variables.a; known are default, description, pattern`, false},
	{"BrokenPattern", head + "variables: {a: {pattern: 'a(b'}}\n", "variables.a.pattern is no regular expression: ", true},
	{"HugePattern", head + "variables: {a: {pattern: '(a{1000}){1000}'}}\n", "variables.a.pattern is no regular expression: ", true},
	{"PatternInTwoParts", head + "variables: {a: {pattern: 'a)|(b'}}\n", "variables.a.pattern is no regular expression", true},
	{"EmptyPattern", head + "variables: {a: {pattern: ''}}\n", "variables.a.pattern is empty", false},
	{"LongPattern", head + "variables: {a: {pattern: " + strings.Repeat("a", 1025) + "}}\n", "pattern has 1025 characters", false},
	{"DefaultBesidePattern", head + "variables: {a: {default: eux, pattern: 'eu|us'}}\n", `variables.a.default is "eux", which the pattern eu|us does not match; write`, true},
	{"NumericDefault", head + "variables: {a: {default: 1}}\n", "variables.a.default is a number; write a text, in quotes", false},
	{"LongDefault", head + "variables: {a: {default: " + strings.Repeat("é", 5001) + "}}\n", "variables.a.default has 10002 bytes; at most 10000", true},
	{"DefaultWithControl", head + "variables: {a: {default: \"\\x01\"}}\n", "variables.a.default has a control character (U+0001) at byte 0", true},

	// Privileges, grants, ignore, extensions.
	{"TableName", head + "privileges: {read_only: [a, B]}\n", `privileges.read_only[1] is "B"; write the name of a table without a schema`, false},
	{"QualifiedTable", head + "privileges: {append_only: [a.b]}\n", `is "a.b"; write the name of a table`, false},
	{"LongTable", head + "privileges: {append_only: [" + strings.Repeat("a", 64) + "]}\n", "privileges.append_only[0] has 64 bytes", false},
	{"TableTwice", head + "privileges: {append_only: [a, a]}\n", `privileges.append_only[1] "a" is there twice; remove one`, false},
	{"TableInBoth", head + "privileges:\n  append_only: [a]\n  read_only: [a]\n", `blueprint.yaml:6: privileges.read_only names "a", as append_only does`, true},
	{"ManyTables", head + "privileges: {read_only: [" + repeat("t%d", 1001) + "]}\n", "privileges.read_only has 1001 entries; at most 1000", false},
	{"AuditHead", head + "privileges: {read_only: [audit_head]}\n", "privileges.read_only names audit_head, which has the end of the audit logs' chain", true},
	{"GrantOnAuditHead", head + "grants: [{role: a, write: [audit_head]}]\n", "grants[0].write names audit_head", true},
	{"GrantWithoutRole", head + "grants: [{read: all}]\n", `the key "role" in grants[0] is missing`, false},
	{"GrantOfNothing", head + "grants: [{role: a}]\n", "grants[0] says neither read nor write; add one", false},
	{"GrantOfText", head + "grants: [{role: a, read: everything}]\n", `grants[0].read is "everything"; write all, or a list of tables`, false},
	{"GrantOfNumber", head + "grants: [{role: a, read: 1}]\n", "grants[0].read is a number", false},
	{"GrantTable", head + "grants: [{role: a, write: [b-c]}]\n", `grants[0].write[0] is "b-c"; write the name of a table`, false},
	{"GrantTwice", head + "grants:\n- {role: a, read: all}\n- {role: a, write: all}\n", `blueprint.yaml:6: grants[1] is for the role "a", as a grant before it; put them together`, true},
	{"GrantToPublic", head + "grants: [{role: public, read: all}]\n", `grants[0].role is "public", which PostgreSQL reserves`, false},
	{"GrantToSystem", head + "grants: [{role: pg_monitor, read: all}]\n", `grants[0].role is "pg_monitor", which PostgreSQL reserves`, false},
	{"GrantRole", head + "grants: [{role: My App, read: all}]\n", `grants[0].role is "My App"; write the name of a role`, false},
	{"ManyGrants", head + "grants: [" + repeat("{role: r%d, read: all}", 65) + "]\n", "grants has 65 entries; at most 64", false},
	{"IgnorePattern", head + "ignore: ['a[']\n", `ignore[0] is "a[", which is no pattern`, true},
	{"EmptyIgnore", head + "ignore: ['']\n", "ignore[0] is empty", false},
	{"IgnoreStandard", head + "ignore: ['audit_*']\n", `ignore has the pattern "audit_*", which matches the table audit_head that the standard blueprint has; narrow it`, true},
	{"IgnorePrivileges", head + "extends: none\nprivileges: {read_only: [stats_a]}\nignore: ['stats_?']\n", "blueprint.yaml:6: ignore has the pattern \"stats_?\", which matches the table stats_a that privileges names", true},
	{"IgnoreGrants", head + "extends: none\ngrants: [{role: a, write: [stats_a]}]\nignore: ['*']\n", "which matches the table stats_a that grants names", true},
	{"ManyIgnore", head + "ignore: [" + repeat("t%d", 65) + "]\n", "ignore has 65 entries; at most 64", false},
	{"Extension", head + "extensions: ['citext; DROP']\n", `extensions[0] is "citext; DROP"; write the name of an extension`, false},
	{"ManyExtensions", head + "extensions: [" + repeat("t%d", 33) + "]\n", "extensions has 33 entries; at most 32", false},

	// Mail.
	{"Support", head + "mail: {support: help}\n", "mail.support ", false},
	{"Locale", head + "mail: {locale: deutsch}\n", `mail.locale is "deutsch", which is no BCP 47 tag of a known language; give one like de or de-AT`, false},
	{"LocaleWithUnderscore", head + "mail: {locale: de_AT}\n", "mail.locale is", false},
	{"LongLocale", head + "mail: {locale: en" + strings.Repeat("-abcdefg", 5) + "}\n", "which is no BCP 47 tag of a known language; give one like", false},
	{"EmptyProduct", head + "mail: {product_name: ''}\n", "mail.product_name is empty", false},
	{"LongProduct", head + "mail: {product_name: " + strings.Repeat("x", 256) + "}\n", "mail.product_name has 256 characters; at most 255", false},

	// Steps.
	{"ManySteps", head + "steps: [" + repeat("{name: STEP_%d, after: SEED_ROLES_AND_USER, webhook: {url: 'https://a.example', secret: BLUEPRINT_SECRET_A}}", 17) + "]\n", "steps has 17 entries; at most 16", false},
	{"StepWithoutName", step("name: REGISTER\n", ""), `blueprint.yaml:5: the key "name" in steps[0] is missing`, false},
	{"StepWithoutAfter", step("  after: STORE_CONTRACT_ADDRESS\n", ""), `the key "after" in steps[0] is missing`, false},
	{"StepWithoutWebhook", head + "steps:\n- name: REGISTER\n  after: STORE_CONTRACT_ADDRESS\n", `the key "webhook" in steps[0] is missing`, false},
	{"StepName", step("REGISTER", "Register"), `steps[0].name is "Register"; write 3 to 63 capital letters`, false},
	{"ShortStepName", step("REGISTER", "GO"), `steps[0].name is "GO"`, false},
	{"LongStepName", step("REGISTER", strings.Repeat("A", 64)), "steps[0].name is", false},
	{"StepOfTheProduct", step("REGISTER", "RUN_MIGRATIONS"), `steps[0].name is "RUN_MIGRATIONS", a step of the product; choose another`, false},
	{"StepTwice", step("", "") + strings.TrimPrefix(step("", ""), head+"steps:\n"), `steps[1] has the name "REGISTER", as a step before it`, true},
	{"After", step("STORE_CONTRACT_ADDRESS", "RUN_MIGRATIONS"), `steps[0].after is "RUN_MIGRATIONS"; write STORE_CONTRACT_ADDRESS or SEED_ROLES_AND_USER`, false},
	{"Database", step("database: none", "database: all"), `steps[0].database is "all"; write none or tenant`, false},
	{"WebhookWithoutURL", step("    url: https://a.example/x\n", ""), `the key "url" in steps[0].webhook is missing`, false},
	{"WebhookWithoutSecret", step("    secret: BLUEPRINT_SECRET_A\n", ""), `the key "secret" in steps[0].webhook is missing`, false},
	{"NoURL", step("https://a.example/x", "a.example"), `steps[0].webhook.url has the scheme ""; write https, or http`, false},
	{"OtherScheme", step("https://a.example/x", "ftp://a.example"), `steps[0].webhook.url has the scheme "ftp"`, false},
	{"NoHost", step("https://a.example/x", "https:///x"), "steps[0].webhook.url names no host", true},
	{"OnlyPort", step("https://a.example/x", "https://:443/x"), "steps[0].webhook.url names no host", true},
	{"UserInURL", step("https://a.example/x", "https://u:p@a.example"), "steps[0].webhook.url has a user or password", false},
	{"Fragment", step("https://a.example/x", `"https://a.example/#x"`), "steps[0].webhook.url has a fragment", false},
	{"SpaceInURL", step("https://a.example/x", `"https://a.example/ x"`), "steps[0].webhook.url is no URL", false},
	{"LongURL", step("https://a.example/x", "https://a.example/"+strings.Repeat("x", 2048)), "steps[0].webhook.url has 2066 bytes; at most 2048", false},
	{"PlainLogin", strings.Replace(step("https://a.example/x", "HTTP://a.example/x"), "database: none", "database: tenant", 1), "steps[0].webhook.url has the scheme http; a login for the database is sent, write https", false},
	{"Secret", step("BLUEPRINT_SECRET_A", "DB_PASSWORD"), `steps[0].webhook.secret is "DB_PASSWORD"; write the name of the variable`, false},
	{"SecretFile", step("BLUEPRINT_SECRET_A", "BLUEPRINT_SECRET_A_FILE"), `steps[0].webhook.secret is "BLUEPRINT_SECRET_A_FILE", which names a file; write the name without _FILE`, false},
	{"SecretItself", step("BLUEPRINT_SECRET_A", "BLUEPRINT_SECRET_"), `steps[0].webhook.secret is "BLUEPRINT_SECRET_"`, false},
	{"TimeoutWithoutUnit", step("timeout: 2s", "timeout: '30'"), `steps[0].webhook.timeout is "30"; write a duration with its unit`, false},
	{"NumericTimeout", step("timeout: 2s", "timeout: 30"), "steps[0].webhook.timeout is a number; write a text, in quotes", false},
	{"ShortTimeout", step("timeout: 2s", "timeout: 999ms"), "steps[0].webhook.timeout is 999ms; write 1s to 2m", true},
	{"LongTimeout", step("timeout: 2s", "timeout: 121s"), "steps[0].webhook.timeout is 2m1s; write 1s to 2m", true},
	{"ShortDeadline", step("deadline: 2h", "deadline: 59s"), "steps[0].webhook.deadline is 59s; write 1m to 24h", true},
	{"LongDeadline", step("deadline: 2h", "deadline: 25h"), "steps[0].webhook.deadline is 25h", true},
	{"UndoWithoutURL", step("    url: https://a.example/undo\n", "    timeout: 3s\n"), `the key "url" in steps[0].undo is missing`, false},
	{"UndoKey", step("    url: https://a.example/undo\n", "    url: https://a.example/undo\n    method: POST\n"), `unknown key "method" in steps[0].undo`, false},
}

// step is a blueprint with one step, in which a text is replaced.
func step(text, by string) string {
	const whole = head + `steps:
- name: REGISTER
  after: STORE_CONTRACT_ADDRESS
  webhook:
    url: https://a.example/x
    secret: BLUEPRINT_SECRET_A
    timeout: 2s
    deadline: 2h
  undo:
    url: https://a.example/undo
  database: none
`
	if text == "name: REGISTER\n" { // The dash stays.
		return strings.Replace(whole, "- name: REGISTER\n  after", "- after", 1)
	}
	return strings.Replace(whole, text, by, 1)
}

// repeat lists a text with the numbers from 1.
func repeat(format string, n int) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(format, i+1)
	}
	return strings.Join(items, ", ")
}

func TestParse_Config(t *testing.T) {
	t.Parallel()
	for _, c := range configCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wantProblem(t, folder(map[string]string{"blueprint.yaml": c.yaml}), c.want)
		})
	}
}
