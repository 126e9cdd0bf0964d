package provider_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// runClinic makes a tenant of the example platform, as README has it, and uses each of its tables
// as the application does.
func runClinic(t *testing.T, w *testEnv) {
	const folder = "examples/blueprints/clinic"
	if err := os.CopyFS(w.dir+"/"+folder, os.DirFS(exampleFolder(t, "blueprints/clinic"))); err != nil {
		t.Fatal(err)
	}
	const secret = "whsec_dGhlIHNlY3JldCBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVz"
	w.env["BLUEPRINT_SECRET_DIRECTORY"], w.env["WEBHOOK_ALLOW"] = secret, "127.0.0.1"
	w.copyExample("blueprints/clinic/blueprint.yaml", folder+"/blueprint.yaml", "http://127.0.0.1:8090", startDirectory(t, secret))
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(readme), "\n```terraform\n")
	configuration, text, _ := strings.Cut(text, "```\n")
	_, text, _ = strings.Cut(text, "\n```shell\n")
	publish, text, _ := strings.Cut(text, "\n")
	migrate, _, ended := strings.Cut(text, "\n```\n")
	if !found || !ended {
		t.Fatal("README does not begin with a tenant of a blueprint, and two commands")
	}
	w.mustShell("-euc", publish).wantText(t, "Blueprint clinic, revision 1, active, schema version 6")
	w.write("main.tf", header+strings.Replace(configuration, "\n}\n", "\n  variables = { region = \"us\" }\n  locale    = \"de-AT\"\n}\n", 1))
	w.mustApply()
	w.assertNoChanges()
	mail := w.mail.Messages()[0]
	if mail.Subject != "St. Mary's Clinic ist auf Clinic Cloud bereit" || !strings.Contains(mail.HTML, `<html lang="de">`) || !slices.Contains(mail.Types, "image/png") {
		t.Errorf("the mail is %q with %v", mail.Subject, mail.Types)
	}

	tenant := w.state("healthcare_tenant.clinic")
	app := application{w, testenv.Connect(t, testenv.SuperuserURL(t, w.env["DATABASE_URL"])), fmt.Sprint(tenant["schema_name"]), fmt.Sprint(tenant["database_role"])}
	if outputs, _ := tenant["outputs"].(map[string]any); !strings.HasPrefix(fmt.Sprint(outputs["directory_id"]), "dir_") {
		t.Errorf("the step's outputs are %v", tenant["outputs"])
	}
	app.want(t, "us", `SELECT region FROM settings`)
	app.want(t, "40", `INSERT INTO patients (name, born, created_by) SELECT 'Grace', current_date - interval '40 years', id FROM users; SELECT age_of(id)::text FROM patients`)
	app.want(t, "Grace", `INSERT INTO appointments (patient_id, physician, begins_at, ends_at) SELECT p.id, u.id, now() + interval '1 day', now() + interval '25 hours' FROM patients p, users u;
		SELECT patient FROM next_appointments`)
	app.want(t, "1", `INSERT INTO dispensations (patient_id, medicine, quantity) SELECT id, 'Aspirin', 20 FROM patients; SELECT count(*)::text FROM dispensations`)
	app.refused(t, "permission denied for table dispensations", `UPDATE dispensations SET quantity = 2`)
	app.refused(t, "permission denied for table dispensations", `DELETE FROM dispensations`)
	app.want(t, "Asthma", `INSERT INTO diagnoses (patient_id, code) SELECT id, 'J45' FROM patients; SELECT title FROM diagnoses JOIN diagnosis_codes USING (code)`)
	app.want(t, "true", `SELECT (count(*) > 400)::text FROM diagnosis_codes`)
	app.refused(t, "permission denied for table diagnosis_codes", `UPDATE diagnosis_codes SET title = 'x'`)
	app.want(t, "measurements_2026 measurements_before_2026", `INSERT INTO measurements SELECT id, at::timestamptz, 'pulse', 61 FROM patients, unnest(ARRAY['2020-02-29 08:00+00', '2026-03-01 08:00+00']) at;
		SELECT string_agg(tableoid::regclass::text, ' ' ORDER BY taken_at DESC) FROM measurements`)

	app.refused(t, "violates row-level security policy", `INSERT INTO notes (patient_id, physician, text) SELECT p.id, u.id, 'seen' FROM patients p, users u`)
	asPhysician := fmt.Sprintf("SET LOCAL clinic.user_id = '%s'; ", w.text(`SELECT id::text FROM "`+app.schema+`".users`))
	app.want(t, "1", asPhysician+`INSERT INTO notes (patient_id, physician, text) SELECT p.id, u.id, 'seen' FROM patients p, users u; SELECT count(*)::text FROM notes`)
	app.want(t, "0", `SELECT count(*)::text FROM notes`)
	app.want(t, "0", `SET LOCAL clinic.user_id = '01980000-0000-7000-8000-000000000000'; SELECT count(*)::text FROM notes`)
	w.mustShell("-euc", migrate).wantText(t, "Blueprint clinic, revision 1, schema version 6: 0 tenants to migrate.")
	w.mustShell("-euc", "tenant-api tenants verify").wantText(t, "1 tenants checked, 0 findings")
	w.destroyAll()
}

// startDirectory runs examples/directory until the test ends, and returns its URL.
func startDirectory(t *testing.T, secret string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), testenv.Program(t, "examples/directory"), "-listen", "127.0.0.1:0")
	cmd.Env = []string{"BLUEPRINT_SECRET_DIRECTORY=" + secret}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	output, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	var url string
	if _, err := fmt.Fscanf(output, "directory: serving %s\n", &url); err != nil {
		t.Fatal(err)
	}
	return url
}

// application works in one tenant's schema as the tenant's role.
type application struct {
	w            *testEnv
	conn         *pgx.Conn
	schema, role string
}

// run runs statements in one transaction and returns the first value of the last.
func (a application) run(statements string) (value string, err error) {
	ctx := a.w.t.Context()
	results, err := a.conn.PgConn().Exec(ctx, fmt.Sprintf("BEGIN; SET LOCAL ROLE %s; SET LOCAL search_path = %s; %s", pgx.Identifier{a.role}.Sanitize(), pgx.Identifier{a.schema}.Sanitize(), statements)).ReadAll()
	end := "COMMIT"
	if err != nil {
		end = "ROLLBACK"
	} else if rows := results[len(results)-1].Rows; len(rows) > 0 {
		value = string(rows[0][0])
	}
	if _, endErr := a.conn.Exec(ctx, end); endErr != nil {
		a.w.t.Fatal(endErr)
	}
	return value, err
}

func (a application) want(t *testing.T, value, statements string) {
	t.Helper()
	if got, err := a.run(statements); err != nil || got != value {
		t.Errorf("%s: %q, %v, want %q", statements, got, err, value)
	}
}

func (a application) refused(t *testing.T, message, statements string) {
	t.Helper()
	if _, err := a.run(statements); err == nil || !strings.Contains(err.Error(), message) {
		t.Errorf("%s: %v, want %q", statements, err, message)
	}
}
