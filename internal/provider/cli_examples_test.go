package provider_test

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// exampleRun runs files of examples/ as the documentation describes.
type exampleRun struct {
	files []string // Below examples/. A name that ends in / stands for all files of the folder.
	modes []mode
	run   func(t *testing.T, w *testEnv)

	coveredBy string // The test that runs them, in place of this one.
	reason    string // Why they are not run whole.
}

var bothModes = []mode{databaseMode, apiMode}

// exampleRuns lists every file of examples/ in exactly one run.
var exampleRuns = map[string]exampleRun{
	"Quickstart": {files: []string{"quickstart/main.tf", "guides/quickstart/look.sh"}, modes: bothModes, run: runQuickstart},
	"Environment": {files: []string{"guides/quickstart/environment.sh"}, modes: []mode{databaseMode}, run: runEnvironment,
		reason: "its values are placeholders; the variables are compared with those that the programs read"},

	"Provider":    {files: []string{"provider/provider.tf"}, modes: []mode{databaseMode}, run: runProvider},
	"ProviderAPI": {files: []string{"provider/api.tf"}, modes: []mode{apiMode}, run: runProviderAPI},

	"Resource":  {files: []string{"resources/healthcare_tenant/resource.tf"}, modes: []mode{databaseMode}, run: runResource},
	"Password":  {files: []string{"resources/healthcare_tenant/password.tf"}, modes: []mode{databaseMode}, run: runPassword},
	"Blueprint": {files: []string{"resources/healthcare_tenant/blueprint.tf"}, modes: bothModes, run: runBlueprint},
	"Import": {files: []string{"resources/healthcare_tenant/import-by-string-id.tf", "resources/healthcare_tenant/import.sh"},
		modes: []mode{databaseMode}, run: runImport},
	"ImportByIdentity": {files: []string{"resources/healthcare_tenant/identity-import.tf"}, modes: []mode{databaseMode}, run: runImportByIdentity},

	"BlueprintResource": {files: []string{"resources/healthcare_blueprint/resource.tf", "resources/healthcare_blueprint/files.tf", "resources/healthcare_blueprint/clinic/blueprint.yaml",
		"resources/healthcare_blueprint/clinic/migrations/0001_patients.sql", "resources/healthcare_blueprint/clinic/migrations/0002_phone.sql",
		"resources/healthcare_blueprint/import.sh", "resources/healthcare_blueprint/import-by-string-id.tf", "data-sources/healthcare_blueprint/data-source.tf"},
		modes: bothModes, run: runBlueprintResource},
	"BlueprintByIdentity": {files: []string{"resources/healthcare_blueprint/identity-import.tf"}, coveredBy: "TestAccBlueprint_List"},
	"ListBlueprints":      {files: []string{"list-resources/healthcare_blueprint/list-resource.tfquery.hcl"}, coveredBy: "TestAccBlueprint_List"},

	"DataSources": {files: []string{"data-sources/healthcare_tenant/data-source.tf", "data-sources/healthcare_tenants/data-source.tf",
		"data-sources/healthcare_tenant_provisioning_status/data-source.tf"}, modes: []mode{databaseMode}, run: runDataSources},
	"Functions": {files: []string{"functions/contract_id/function.tf", "functions/slug/function.tf"}, modes: []mode{databaseMode}, run: runFunctions},
	"Ephemeral": {files: []string{"ephemeral-resources/healthcare_tenant_database_credentials/ephemeral-resource.tf"}, modes: []mode{databaseMode}, run: runEphemeral},

	"ActionRetry":     {files: []string{"actions/healthcare_tenant_retry/action.tf"}, coveredBy: "TestCLINewest_RetryReportsSteps"},
	"ActionInvite":    {files: []string{"actions/healthcare_tenant_invite/action.tf"}, coveredBy: "TestCLINewest_Invoke"},
	"ActionUnarchive": {files: []string{"actions/healthcare_tenant_unarchive/action.tf"}, coveredBy: "TestCLINewest_Invoke"},
	"ActionSuspend":   {files: []string{"actions/healthcare_tenant_suspend/action.tf"}, coveredBy: "TestCLINewest_Invoke"},
	"ActionResume":    {files: []string{"actions/healthcare_tenant_resume/action.tf"}, coveredBy: "TestCLINewest_Invoke"},
	"ActionPurge":     {files: []string{"actions/healthcare_tenant_purge/action.tf"}, coveredBy: "TestCLINewest_Invoke"},
	"List":            {files: []string{"list-resources/healthcare_tenant/list-resource.tfquery.hcl"}, coveredBy: "TestCLINewest_Query"},

	"CI": {files: []string{"guides/tenant-per-environment-in-ci/main.tf", "guides/tenant-per-environment-in-ci/ci.sh"}, modes: bothModes, run: runCI},
	"Workflow": {files: []string{"guides/tenant-per-environment-in-ci/github-actions.yml"}, modes: []mode{databaseMode}, run: runWorkflow,
		reason: "it needs GitHub; it is read as YAML, and its commands and variables are looked at"},
	"Importing": {files: []string{"guides/importing-tenants/one.tf", "guides/importing-tenants/several.tf", "guides/importing-tenants/moved.tf",
		"guides/importing-tenants/removed.tf"}, modes: bothModes, run: runImporting},
	"APIMode": {files: []string{"guides/api-mode/before.tf", "guides/api-mode/after.tf", "guides/api-mode/keys.sh"}, modes: []mode{databaseMode}, run: runAPIMode},
	"API": {files: []string{"guides/api/tenant.sh", "guides/api/tenant.py", "guides/api/tenant.go", "guides/api/keys.sh", "guides/api/environment.sh", "guides/api/functions.sh",
		"guides/api/change.sh", "guides/api/list.sh", "guides/api/feed.sh", "guides/api/stream.sh", "guides/api/limits.sh"}, modes: []mode{apiMode}, run: runAPI},
	"APIGenerated": {files: []string{"guides/api/tenant.ts", "guides/api/generate.sh"}, coveredBy: "TestGeneratedClients_Guide"},
	"Login":        {files: []string{"guides/application-credentials/login.sql"}, modes: bothModes, run: runLogin},
	"Switching": {files: []string{"guides/application-credentials/switching.sql", "guides/application-credentials/request.sql",
		"guides/application-credentials/dba.sql"}, modes: []mode{databaseMode}, run: runSwitching},
	"Store": {files: []string{"guides/application-credentials/store.tf"}, modes: []mode{databaseMode}, run: runStore,
		reason: "it is about other providers, which come from a registry; the CLI reads it and finds its style right"},
	"Upgrading": {files: []string{"guides/upgrading/versions.tf", "guides/upgrading/upgrade.sh"}, modes: []mode{databaseMode}, run: runUpgrading},
	"PostgreSQL": {files: []string{"guides/postgresql/settings.sql", "guides/postgresql/failover.sh", "guides/postgresql/pooler.sh"},
		modes: []mode{databaseMode}, run: runPostgreSQL},
	"PostgreSQLPlatform": {files: []string{"guides/postgresql/check.sh", "guides/postgresql/dba.sh", "guides/postgresql/restore.sh", "guides/postgresql/backup.sh", "guides/postgresql/restore-tenant.sh"}, modes: []mode{databaseMode}, run: runPlatform},
	"Users": {files: []string{"guides/postgresql/owner.sql", "guides/postgresql/nologin-owner.sql", "guides/postgresql/nologin-owner.sh",
		"guides/postgresql/rotate.sql", "guides/postgresql/retire.sql", "guides/postgresql/set-role.sql", "guides/postgresql/server.sql", "guides/postgresql/server.sh"},
		modes: []mode{databaseMode}, run: runUsers},
	"Blueprints": {files: []string{"guides/blueprints/first.sh", "guides/blueprints/patients.sql", "guides/blueprints/appointments.sql", "guides/blueprints/invoices.sql",
		"guides/blueprints/main.tf", "guides/blueprints/tenants.sh", "guides/blueprints/fourth.sh", "guides/blueprints/back.sh", "guides/blueprints/changed_at.sql", "guides/blueprints/mail.sh"},
		modes: bothModes, run: runBlueprints},
	"OwnSteps": {files: []string{"guides/blueprints/steps.yaml", "guides/blueprints/directory.sh", "guides/blueprints/lakeside.tf", "guides/blueprints/step.sh", "guides/blueprints/skip.sh"},
		modes: []mode{databaseMode}, run: runOwnSteps},
	"Adoption": {files: []string{"guides/blueprints/goose.sh", "guides/blueprints/flyway.sh", "guides/blueprints/liquibase.sh", "guides/blueprints/prisma.sh",
		"guides/blueprints/adopt.sh", "guides/blueprints/hospitals.csv", "guides/blueprints/version.sql", "guides/blueprints/ninth.sh", "blueprints/hospital/"}, modes: []mode{databaseMode}, run: runAdoption},
	"Migrating": {files: []string{"guides/migrating/"}, modes: []mode{databaseMode}, run: runMigrating},
	"Clinic":    {files: []string{"blueprints/clinic/"}, modes: bothModes, run: runClinic},
	"Audit":     {files: []string{"guides/audit-and-access/"}, modes: []mode{apiMode}, run: runAudit},
	"Onboarding": {files: []string{"guides/onboarding/"}, modes: []mode{apiMode}, run: runOnboarding,
		reason: "the settings of other mail servers are compared with those that the programs read"},
	"Invitation": {files: []string{"invitation/"}, coveredBy: "TestCLIOnboarding"},
	"SignIn":     {files: []string{"sign-in/"}, coveredBy: "TestCLIOnboarding"},
	"Directory":  {files: []string{"directory/"}, coveredBy: "TestDirectory"},
	"Life": {files: []string{"guides/tenant-life/moves.sh", "guides/tenant-life/purge.sh", "guides/tenant-life/main.tf", "guides/tenant-life/apply.sh", "guides/tenant-life/purge_override.tf",
		"guides/tenant-life/destroy.sh", "guides/tenant-life/restored.sh"}, modes: []mode{databaseMode}, run: runLife},
	"LifeAPI":         {files: []string{"guides/tenant-life/key.sh", "guides/tenant-life/api.sh"}, modes: []mode{apiMode}, run: runLifeAPI},
	"Modules":         {files: []string{"guides/modules/"}, modes: []mode{databaseMode}, run: runModules},
	"Regions":         {files: []string{"guides/several-regions/"}, modes: []mode{databaseMode}, run: runRegions},
	"Operations":      {files: []string{"guides/operations/"}, coveredBy: "TestOperationsGuide_HasEachScript"},
	"Console":         {files: []string{"guides/console/"}, coveredBy: "TestConsoleGuide"},
	"Security":        {files: []string{"guides/security/"}, coveredBy: "TestSecurityGuide"},
	"Troubleshooting": {files: []string{"guides/troubleshooting/log.sh", "guides/troubleshooting/look.sh"}, modes: bothModes, run: runTroubleshooting},
}

func TestCLIExamples(t *testing.T) {
	t.Parallel()
	for name, e := range exampleRuns {
		if e.coveredBy != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, m := range testenv.Variants(t, e.modes...) {
				t.Run(string(m), func(t *testing.T) {
					w := setup(t, m, "")
					w.installTools()
					e.run(t, w)
				})
			}
		})
	}
}

// TestExamples_EachIsRun: a file of examples/ without a run fails, and so does a
// run without its file.
func TestExamples_EachIsRun(t *testing.T) {
	runs := map[string]int{}
	err := filepath.WalkDir("../../examples", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			runs[strings.TrimPrefix(filepath.ToSlash(path), "../../examples/")] = 0
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range exampleRuns {
		for _, file := range e.files {
			known := false
			for path := range runs {
				if path == file || strings.HasSuffix(file, "/") && strings.HasPrefix(path, file) {
					known = true
					runs[path]++
				}
			}
			if !known {
				t.Errorf("%s: there is no examples/%s", name, file)
			}
			if e.coveredBy != "" {
				folder := filepath.Base(filepath.Dir(file))
				source := functionSource(t, e.coveredBy)
				if !strings.HasSuffix(file, "/") && !strings.Contains(source, `"`+folder+`"`) {
					t.Errorf("%s does not run examples/%s", e.coveredBy, file)
				}
			}
		}
		if e.coveredBy == "" && (e.run == nil || len(e.modes) == 0) {
			t.Errorf("%s is not run", name)
		}
	}
	for _, file := range slices.Sorted(maps.Keys(runs)) {
		if runs[file] != 1 {
			t.Errorf("examples/%s is in %d runs of exampleRuns", file, runs[file])
		}
	}
	if out, err := exec.Command(testenv.CLI(t), "fmt", "-check", "-diff", "-recursive", "../../examples").CombinedOutput(); err != nil {
		t.Errorf("fmt: %v: %s", err, out)
	}
}

// functionSource returns the source of a test function, of this package, of tenant-api's, or beside a
// program in examples/.
func functionSource(t *testing.T, name string) string {
	t.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"../../examples/*/*_test.go", "../../cmd/tenant-api/*_test.go"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, after, ok := strings.Cut(string(text), "\nfunc "+name+"("); ok {
			body, _, _ := strings.Cut(after, "\n}\n")
			return body
		}
	}
	t.Fatalf("there is no %s", name)
	return ""
}

// installTools puts the programs of the documentation into PATH: the CLI as terraform, and
// tenant-api.
func (w *testEnv) installTools() {
	w.t.Helper()
	bin := filepath.Join(w.dir, "tools")
	path, err := exec.LookPath(w.cli)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, err := range []error{os.Mkdir(bin, 0o755), os.Symlink(path, filepath.Join(bin, "terraform")), os.Symlink(testenv.Program(w.t, "cmd/tenant-api"), filepath.Join(bin, "tenant-api"))} {
		if err != nil {
			w.t.Fatal(err)
		}
	}
	w.path = bin + ":"
}

// copyExample copies an example into the working directory and replaces words in it.
func (w *testEnv) copyExample(file, target string, replacements ...string) {
	w.t.Helper()
	w.write(target, strings.NewReplacer(replacements...).Replace(example(w.t, file)))
}

// exampleFolder is the absolute path of a folder of examples/.
func exampleFolder(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs("../../examples/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func (w *testEnv) remove(names ...string) {
	w.t.Helper()
	for _, name := range names {
		if err := os.Remove(filepath.Join(w.dir, name)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// shell runs commands of the documentation, with the platform's settings and
// those of the CLI; it answers yes to prompts.
func (w *testEnv) shell(args ...string) result {
	w.t.Helper()
	cmd := w.program("sh", args...)
	cmd.Stdin = strings.NewReader("yes\n")
	for name, value := range w.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return w.runCommand(cmd)
}

func (w *testEnv) mustShell(args ...string) result {
	w.t.Helper()
	r := w.shell(args...)
	if r.code != 0 {
		w.t.Fatalf("%v ended with %d: %s", args, r.code, r.out)
	}
	return r
}

// destroyAll destroys everything in the state.
func (w *testEnv) destroyAll() {
	w.t.Helper()
	if r := w.run("destroy", "-auto-approve", "-no-color"); r.code != 0 {
		w.t.Errorf("destroy ended with %d: %s", r.code, r.out)
	}
	if n := w.registry.Unarchived(); n != 0 {
		w.t.Errorf("%d tenants after destroy", n)
	}
}
