package provider_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provider"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// The runs of exampleRuns.

func runQuickstart(t *testing.T, w *testEnv) {
	w.copyExample("quickstart/main.tf", "main.tf")
	w.mustApply().wantText(t, `status = "ACTIVE"`, `schema_name = "st_marys_clinic_`)
	w.assertOneTenant()
	w.copyExample("guides/quickstart/look.sh", "look.sh")
	w.mustShell("look.sh").wantText(t, "SEND_WELCOME_EMAIL COMPLETED", "Status on chain ACTIVE")
	w.assertNoChanges()
	w.destroyAll()
	w.mustApply().wantText(t, "1 added")
	w.destroyAll()
}

// names of settings, each of which must be one that the programs read.
func known(t *testing.T, names [][]string) {
	t.Helper()
	var sources strings.Builder
	files, err := filepath.Glob("../config/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sources.Write(text)
	}
	for _, name := range names {
		if !strings.Contains(sources.String(), `"`+name[1]+`"`) {
			t.Errorf("no program reads %s", name[1])
		}
	}
	if len(names) < 4 {
		t.Errorf("%d settings", len(names))
	}
}

func runEnvironment(t *testing.T, w *testEnv) {
	w.copyExample("guides/quickstart/environment.sh", "environment.sh")
	w.mustShell("-eu", "environment.sh")
	known(t, regexp.MustCompile(`\b([A-Z_]+)=`).FindAllStringSubmatch(w.read("environment.sh"), -1))
}

func runProvider(t *testing.T, w *testEnv) {
	w.remove("main.tf")
	w.copyExample("provider/provider.tf", "provider.tf")
	w.write("tenant.tf", clinic)
	// Of the services in the example, only the database exists here.
	w.write("provider_override.tf", fmt.Sprintf(`provider "healthcare" {
  soroban = {
    network            = "local"
    network_passphrase = %q
    rpc_url            = %q
    deployer_secret    = var.deployer_secret
  }
  mail = {
    host = %q
    port = %s
    tls  = "none"
    from = "Platform <no-reply@platform.example>"
  }
}
`, w.net.Passphrase(), w.net.RPCURL(), w.mail.SMTPHost(), w.env["MAIL_PORT"]))
	w.env = map[string]string{"TF_VAR_database_url": w.env["DATABASE_URL"], "TF_VAR_deployer_secret": w.seed, "TF_VAR_smtp_password": "none"}
	w.mustApply()
	w.assertOneTenant()
	w.assertNoChanges()
	if by := w.registry.Tenant().ManagedBy; by != "infrastructure/tenants" {
		t.Error(by)
	}
	w.destroyAll()
}

func runProviderAPI(_ *testing.T, w *testEnv) {
	w.copyExample("provider/api.tf", "provider.tf", "https://tenants.platform.example", w.server.url)
	w.write("tenant.tf", strings.Replace(clinic, "\n}\n", "\n  provider = healthcare.through_api\n}\n", 1))
	w.mustApply()
	w.assertOneTenant()
	w.assertNoChanges()
	w.destroyAll()
}

func runResource(t *testing.T, w *testEnv) {
	w.copyExample("resources/healthcare_tenant/resource.tf", "tenant.tf")
	w.mustApply()
	w.assertOneTenant()
	w.assertNoChanges()
	w.run("destroy", "-auto-approve", "-no-color").wantText(t, "Tenant is protected")
	w.write("tenant_override.tf", "resource \"healthcare_tenant\" \"clinic\" {\n  deletion_protection = false\n}\n")
	w.mustApply().wantText(t, "0 added, 1 changed, 0 destroyed")
	w.destroyAll()
}

func runPassword(_ *testing.T, w *testEnv) {
	w.env["TF_VAR_admin_password"] = password
	w.copyExample("resources/healthcare_tenant/password.tf", "tenant.tf")
	w.mustApply()
	w.assertPassword(password)
	w.assertNoChanges()
	w.destroyAll()
}

const exampleID = "0198c5a4-7b1e-7c3a-9f52-3d1c8a7e4b60"

// createForgotten creates the clinic, removes it from the state, and returns its id.
func (w *testEnv) createForgotten() string {
	w.t.Helper()
	w.write("main.tf", header+clinic)
	w.mustApply()
	id := fmt.Sprint(w.state("healthcare_tenant.clinic")["id"])
	w.run("state", "rm", "healthcare_tenant.clinic")
	return id
}

func runImport(t *testing.T, w *testEnv) {
	id := w.createForgotten()
	w.copyExample("resources/healthcare_tenant/import-by-string-id.tf", "import.tf", exampleID, id)
	w.mustApply().wantText(t, "1 imported, 0 added, 0 changed, 0 destroyed")
	w.assertNoChanges()
	w.remove("import.tf")
	commands := 0
	for line := range strings.Lines(strings.ReplaceAll(example(t, "resources/healthcare_tenant/import.sh"), exampleID, id)) {
		if !strings.HasPrefix(line, "terraform") {
			continue
		}
		commands++
		w.run("state", "rm", "healthcare_tenant.clinic")
		w.mustShell("-c", line).wantText(t, "Import successful!")
		w.assertNoChanges()
	}
	if commands != 2 {
		t.Errorf("%d commands", commands)
	}
	w.destroyAll()
}

func runImportByIdentity(t *testing.T, w *testEnv) {
	if out, _ := exec.Command(w.cli, "version").Output(); regexp.MustCompile(`^Terraform v1\.(\d|1[01])\.`).Match(out) {
		w.cli = testenv.NewestCLI(t)
	}
	id := w.createForgotten()
	w.copyExample("resources/healthcare_tenant/identity-import.tf", "import.tf", exampleID, id)
	w.mustApply().wantText(t, "1 imported, 0 added, 0 changed, 0 destroyed")
	w.assertNoChanges()
	w.remove("import.tf")
	w.destroyAll()
}

func runDataSources(t *testing.T, w *testEnv) {
	w.write("main.tf", header+clinic)
	w.mustApply()
	s := w.state("healthcare_tenant.clinic")
	for folder, c := range map[string]struct{ output, words string }{
		"healthcare_tenant":                     {"clinic_schema", fmt.Sprintf("%q", s["schema_name"])},
		"healthcare_tenants":                    {"active_tenants", fmt.Sprintf(`{"St. Mary's Clinic":%q}`, s["id"])},
		"healthcare_tenant_provisioning_status": {"clinic_steps", `"SEND_WELCOME_EMAIL":"COMPLETED"`},
	} {
		w.copyExample("data-sources/"+folder+"/data-source.tf", "example.tf")
		w.mustApply()
		if got := text(t, w.outputs()[c.output]); !strings.Contains(got, c.words) {
			t.Errorf("%s: %s, want %s", folder, got, c.words)
		}
		w.assertNoChanges()
	}
	w.remove("example.tf")
	w.mustApply()
	w.destroyAll()
}

func runFunctions(t *testing.T, w *testEnv) {
	w.copyExample("functions/slug/function.tf", "slug.tf")
	w.copyExample("functions/contract_id/function.tf", "contract_id.tf")
	w.mustApply()
	out := w.outputs()
	if id, _ := out["contract_id"].(string); out["schema_begins_with"] != "st_marys_clinic" || len(id) != 56 || id[0] != 'C' {
		t.Errorf("%v", out)
	}
	w.assertNoChanges()
	w.destroyAll()
}

func runEphemeral(t *testing.T, w *testEnv) {
	output := w.installPsql()
	w.copyExample("ephemeral-resources/healthcare_tenant_database_credentials/ephemeral-resource.tf", "example.tf")
	w.mustApply()
	if got := w.read(output); got != "SELECT count(*) FROM users: 1" {
		t.Errorf("psql saw %q", got)
	}
	if n := len(w.registry.Logins()); n != 0 {
		t.Errorf("%d logins remain", n)
	}
	w.assertNoChanges()
	w.destroyAll()
}

func runCI(t *testing.T, w *testEnv) {
	state := testenv.EmptyDatabase(t)
	w.env["PG_CONN_STR"] = state
	w.installMirror()
	w.copyExample("guides/tenant-per-environment-in-ci/main.tf", "main.tf")
	w.copyExample("guides/tenant-per-environment-in-ci/ci.sh", "ci.sh")
	// A developer does this once and commits the lock file.
	w.env["TF_VAR_environment"] = "staging"
	r := w.shell("-c", "terraform init -no-color -backend=false")
	if strings.Contains(r.out, `There is no backend type named "pg"`) {
		t.Skip("tools/terraform.sh builds this CLI without the backend pg, which every release of Terraform and OpenTofu has: they run this")
	}
	if r.code != 0 {
		t.Fatal(r.out)
	}
	delete(w.env, "TF_VAR_environment")
	if r := w.shell("ci.sh", "plan", "staging"); r.code != 2 {
		t.Fatalf("plan ended with %d: %s", r.code, r.out)
	}
	w.mustShell("ci.sh", "apply", "staging").wantText(t, "1 added, 0 changed, 0 destroyed")
	w.mustShell("ci.sh", "plan", "staging").wantText(t, "No changes")
	if r := w.shell("ci.sh", "plan", "production"); r.code != 2 {
		t.Fatalf("plan ended with %d: %s", r.code, r.out)
	}
	w.mustShell("ci.sh", "apply", "production").wantText(t, "1 added, 0 changed, 0 destroyed")
	for _, environment := range []string{"production", "staging"} {
		if got := w.registry.Named("Clinic App " + environment); got.Status != tenant.StatusActive || got.ManagedBy != "clinic-app/"+environment {
			t.Errorf("%+v", got)
		}
	}
	if n := w.registry.Count(tenant.StatusActive); n != 2 {
		t.Errorf("%d live tenants", n)
	}

	w.mustShell("ci.sh", "drift", "staging")
	w.registry.SetAdminLastName("Clinic App staging", "Hopper")
	if r := w.shell("ci.sh", "drift", "staging"); r.code != 2 || !strings.Contains(r.out, "0 to add, 1 to change, 0 to destroy") {
		t.Errorf("drift ended with %d: %s", r.code, r.out)
	}
	if w.registry.Named("Clinic App staging").AdminLastName != "Hopper" {
		t.Error("the drift check changed something")
	}
	w.mustShell("ci.sh", "remove", "staging").wantText(t, "1 destroyed")
	if r := w.shell("ci.sh", "remove", "production"); r.code != 1 || !strings.Contains(r.out, "Tenant is protected") {
		t.Errorf("remove ended with %d: %s", r.code, r.out)
	}
	if r := w.shell("ci.sh", "what", "staging"); r.code != 64 {
		t.Errorf("it ended with %d: %s", r.code, r.out)
	}
}

// installMirror makes the CLI install the provider from a mirror, so that init, lock files
// and version constraints work as with a registry.
func (w *testEnv) installMirror() {
	w.t.Helper()
	mirror := filepath.Join(w.dir, "mirror")
	for _, address := range []string{provider.Address, strings.Replace(provider.Address, "terraform.io", "opentofu.org", 1)} {
		folder := filepath.Join(mirror, filepath.FromSlash(address), "0.1.0", runtime.GOOS+"_"+runtime.GOARCH)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.Link(testenv.Program(w.t, "."), filepath.Join(folder, "terraform-provider-healthcare_v0.1.0")); err != nil {
			w.t.Fatal(err)
		}
	}
	w.write("cli.tfrc", fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror))
}

func runWorkflow(t *testing.T, w *testEnv) {
	const file = "guides/tenant-per-environment-in-ci/github-actions.yml"
	w.copyExample(file, "workflow.yml")
	w.write("main.tf", `output "jobs" { value = { for name, job in yamldecode(file("workflow.yml")).jobs : name => [for s in job.steps : s.run if can(s.run)] } }`)
	w.mustApply()
	jobs, _ := w.outputs()["jobs"].(map[string]any)
	if got := strings.Join(slices.Sorted(maps.Keys(jobs)), " "); got != "apply drift plan review" {
		t.Error(got)
	}
	script := example(t, "guides/tenant-per-environment-in-ci/ci.sh")
	for job, commands := range jobs {
		list, _ := commands.([]any)
		for _, command := range list {
			task := regexp.MustCompile(`^sh ci\.sh (\w+) "[^"]+"( \|\| \[ \$\? -eq 2 \])?$`).FindStringSubmatch(fmt.Sprint(command))
			if task == nil || !strings.Contains(script, "\n"+task[1]+") ") {
				t.Errorf("%s runs %v", job, command)
			}
		}
		if len(list) == 0 {
			t.Errorf("%s runs nothing", job)
		}
	}
	names := regexp.MustCompile(`(?m)^  ([A-Z_]+): `).FindAllStringSubmatch(example(t, file), -1)
	known(t, slices.DeleteFunc(names, func(name []string) bool { return name[1] == "PG_CONN_STR" })) // Terraform's own.
}

func runImporting(t *testing.T, w *testEnv) {
	hospital := strings.NewReplacer(`"clinic"`, `"hospital"`, "St. Mary's Clinic", "City Hospital", "ada@st-marys", "grace@city", "Ada", "Grace", "Lovelace", "Hopper").Replace(clinic)
	w.write("main.tf", header+clinic+hospital)
	w.mustApply()
	w.run("state", "rm", "healthcare_tenant.clinic", "healthcare_tenant.hospital")

	w.write("main.tf", header)
	w.copyExample("guides/importing-tenants/one.tf", "import.tf")
	if r := w.run("plan", "-no-color", "-generate-config-out=clinic.tf"); r.code != 0 {
		t.Fatal(r.out)
	}
	w.mustApply().wantText(t, "1 imported, 0 added, 0 changed, 0 destroyed")
	w.assertNoChanges()
	if s := w.state("healthcare_tenant.clinic"); s["deletion_protection"] != false || s["admin_password_wo_version"] != nil {
		t.Errorf("state %v", s)
	}

	w.remove("import.tf", "clinic.tf")
	w.copyExample("guides/importing-tenants/several.tf", "several.tf")
	w.copyExample("guides/importing-tenants/moved.tf", "moved.tf")
	w.mustApply().wantText(t, "1 imported, 0 added, 0 changed, 0 destroyed")
	w.assertNoChanges()

	w.remove("several.tf", "moved.tf")
	w.copyExample("guides/importing-tenants/removed.tf", "removed.tf")
	w.mustApply()
	w.assertNoChanges()
	if n := w.registry.Count(tenant.StatusActive); n != 2 || w.state(`healthcare_tenant.all["City Hospital"]`) != nil {
		t.Errorf("%d live tenants", n)
	}
}

func runAPIMode(t *testing.T, w *testEnv) {
	w.write("main.tf", header+clinic)
	w.copyExample("guides/api-mode/before.tf", "provider.tf")
	w.mustApply()
	w.assertNoChanges()
	before := w.state("healthcare_tenant.clinic")

	w.mode = apiMode
	w.environment()
	w.env["TF_VAR_tenant_api_url"] = w.server.url
	w.copyExample("guides/api-mode/after.tf", "provider.tf")
	w.assertNoChanges()
	w.mustApply().wantText(t, "0 added, 0 changed, 0 destroyed")
	after := w.state("healthcare_tenant.clinic")
	if before["soroban_contract_state"] != "LIVE" || after["soroban_contract_state"] != "LIVE" {
		t.Errorf("contract: %v, %v", before["soroban_contract_state"], after["soroban_contract_state"])
	}
	delete(before, "soroban_contract_state")
	delete(after, "soroban_contract_state")
	if !maps.EqualFunc(before, after, func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("before %v, after %v", before, after)
	}

	w.copyExample("guides/api-mode/keys.sh", "keys.sh")
	if r := w.mustShell("-eu", "keys.sh"); strings.Count(r.out, "hck_") < 2 {
		t.Error("no two keys")
	} else {
		r.wantText(t, "terraform-operations", "tenants:credentials")
	}

	// A read-only key is enough for a plan.
	create := w.apiCommand(w.server.settings, "apikey", "create", "--name", "plans", "--scope", "tenants:read")
	reader, err := create.Output()
	if err != nil {
		t.Fatalf("create a key: %v: %s", err, stderr(err))
	}
	writer := w.token
	w.token = strings.TrimSpace(string(reader))
	w.assertNoChanges()
	w.run("destroy", "-auto-approve", "-no-color").wantText(t, "Could not archive tenant", "needs the scope tenants:write")
	w.token = writer

	w.mode = databaseMode
	w.copyExample("guides/api-mode/before.tf", "provider.tf")
	w.assertNoChanges()
	w.destroyAll()
}

func runLogin(t *testing.T, w *testEnv) {
	w.write("main.tf", header+clinic)
	w.mustApply()
	s := w.state("healthcare_tenant.clinic")
	role, schema := fmt.Sprint(s["database_role"]), fmt.Sprint(s["schema_name"])
	name := "records_" + schema // Roles are the whole server's.
	w.copyExample("guides/application-credentials/login.sql", "login.sql",
		"st_marys_clinic_1795361446831_0de3a7e2", role, "st_marys_clinic_1795361446831", schema, "records_st_marys", name)
	w.exec(w.read("login.sql"))
	t.Cleanup(func() { w.dropLogin(name) })
	cmd := w.program(os.Args[0], "--command", "SELECT count(*) FROM users")
	cfg := w.pg.Config()
	cmd.Env = append(cmd.Env, psqlEnv+"="+filepath.Join(w.dir, "seen"), "PGHOST="+cfg.Host, fmt.Sprintf("PGPORT=%d", cfg.Port),
		"PGDATABASE="+cfg.Database, "PGUSER="+name, "PGPASSWORD=from-your-secret-store")
	if r := w.runCommand(cmd); r.code != 0 || w.read("seen") != "SELECT count(*) FROM users: 1" {
		t.Fatalf("exit code %d: %s", r.code, r.out)
	}
	w.assertNoChanges() // A login is not reported as drift,
	w.mustShell("-c", "tenant-api tenants verify").wantText(t, "0 findings")
	w.destroyAll() // and archiving does not drop it.
	if n := w.count(`SELECT count(*) FROM pg_roles WHERE rolname = $1 AND rolcanlogin`, name); n != 1 {
		t.Error("the login was dropped with its tenant")
	}
}

// dropLogin drops a role that may connect to the database.
func (w *testEnv) dropLogin(name string) {
	w.exec(`DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM ` + name + `', current_database()); END $$; DROP ROLE ` + name)
}

func runSwitching(t *testing.T, w *testEnv) {
	w.write("main.tf", header+clinic+strings.Replace(clinic, `"clinic"`, `"north"`, 1))
	w.write("main.tf", strings.Replace(w.read("main.tf"), `"St. Mary's Clinic"`, `"North Clinic"`, 1))
	w.mustApply()
	one, two := w.state("healthcare_tenant.clinic"), w.state("healthcare_tenant.north")
	role, schema, other := fmt.Sprint(one["database_role"]), fmt.Sprint(one["schema_name"]), fmt.Sprint(two["database_role"])
	name := "records_" + schema // Roles are the whole server's.
	w.copyExample("guides/application-credentials/switching.sql", "switching.sql", "st_marys_clinic_1795361446831_0de3a7e2", role,
		"north_clinic_1795361446907_7c1f0b52", other, "ROLE records ", "ROLE "+name+" ", "TO records'", "TO "+name+"'")
	w.copyExample("guides/application-credentials/request.sql", "request.sql",
		"st_marys_clinic_1795361446831_0de3a7e2", role, "st_marys_clinic_1795361446831", schema)
	w.exec(w.read("switching.sql"))
	t.Cleanup(func() { w.dropLogin(name) })
	login := testenv.Connect(t, testenv.WithLogin(t, w.pg.Config().ConnString(), name, "from-your-secret-store"))
	if _, err := login.Exec(t.Context(), "SELECT FROM "+schema+".users"); err == nil {
		t.Error("the login reads a tenant without SET ROLE")
	}
	if _, err := login.Exec(t.Context(), w.read("request.sql"), pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Error(err)
	}
	w.mustShell("-c", "tenant-api tenants verify").wantText(t, "0 findings")
	// Another grant, because from PostgreSQL 16 on each says whether it is inherited.
	w.exec("REVOKE " + role + ", " + other + " FROM " + name + "; ALTER ROLE " + name + " INHERIT; GRANT " + role + ", " + other + " TO " + name)
	if r := w.shell("-c", "tenant-api tenants verify"); !strings.Contains(r.out, name+" inherits the privileges of 2 tenants") {
		t.Errorf("exit code %d: %s", r.code, r.out)
	}
	superuser := testenv.Connect(t, testenv.SuperuserURL(t, w.pg.Config().ConnString()))
	w.copyExample("guides/application-credentials/dba.sql", "dba.sql")
	if _, err := superuser.Exec(t.Context(), w.read("dba.sql"), pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Error(err)
	}
	if _, err := login.Exec(t.Context(), "SELECT lo_create(0)"); err == nil {
		t.Error("the login makes large objects")
	}
	w.destroyAll()
}

func runStore(t *testing.T, w *testEnv) {
	w.copyExample("guides/application-credentials/store.tf", "store.tf")
	if r := w.run("fmt", "-check", "-diff", "-no-color", "store.tf"); r.code != 0 {
		t.Error(r.out)
	}
}

func runUpgrading(t *testing.T, w *testEnv) {
	w.installMirror()
	w.remove("main.tf")
	w.copyExample("guides/upgrading/versions.tf", "versions.tf")
	w.write("tenant.tf", clinic)
	if r := w.run("init", "-no-color"); r.code != 0 {
		t.Fatal(r.out)
	}
	w.mustApply()
	w.copyExample("guides/upgrading/upgrade.sh", "upgrade.sh")
	w.mustShell("upgrade.sh").wantText(t, "0 findings", "tenant schemas")
	w.assertNoChanges()
	w.destroyAll()
}

func runTroubleshooting(t *testing.T, w *testEnv) {
	w.write("main.tf", header+clinic)
	w.env["SOROBAN_MAX_FEE"] = "100"
	w.apply().wantText(t, "Could not create tenant")
	delete(w.env, "SOROBAN_MAX_FEE")
	id := w.registry.Tenant().ID
	w.copyExample("guides/troubleshooting/log.sh", "log.sh", "01a203e1-9baf-7699-9d50-5b880de3a7e2", id)
	w.mustShell("log.sh").wantText(t, "provisioning step SEND_WELCOME_EMAIL COMPLETED", "tenant_id="+id)
	w.copyExample("guides/troubleshooting/look.sh", "look.sh")
	w.mustShell("-eu", "look.sh").wantText(t, "2 SEND_WELCOME_EMAIL COMPLETED", "0 findings", "Status on chain ACTIVE")
	w.assertNoChanges()
	w.destroyAll()
}
