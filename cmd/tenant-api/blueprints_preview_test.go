//go:build unix

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBlueprints_Preview(t *testing.T) {
	w := setup(t)
	logo, err := os.ReadFile("../../internal/blueprint/testdata/clinic/mail/logo.png")
	if err != nil {
		t.Fatal(err)
	}
	dir := writeBlueprint(t, map[string]string{
		"blueprint.yaml":       clinicYAML + "mail: {product_name: Clinic Cloud, support: help@clinic.example}\n",
		"mail/welcome.de.txt":  "Subject: {{.Name}} ist bereit\n\nGuten Tag {{.FirstName}},\n{{.InvitationURL}} gilt bis {{.ExpiresAt}}.\n",
		"mail/welcome.de.html": "<p>Guten Tag {{.FirstName}}</p><img src=\"{{.LogoURL}}\"><a href=\"{{.InvitationURL}}\">Passwort</a>\n",
		"mail/logo.png":        string(logo),
	})
	w.run("blueprints", "preview", dir, "--mail", "welcome", "--locale", "de-AT").want(t, 0,
		"Subject: St. Mary's Clinic ist bereit\n\nGuten Tag Ada,\nhttps://", "gilt bis 2026-08-17 13:04 UTC.")
	// The product's, with what the blueprint says; the blueprint has no English ones.
	w.run("blueprints", "preview", dir).want(t, 0, "Subject: St. Mary's Clinic is ready: choose your password", "is ready on Clinic Cloud", "17 August 2026 13:04 UTC",
		"Subject: St. Mary's Clinic could not be set up yet", "please write to help@clinic.example", "Subject: St. Mary's Clinic: your invitation ends soon")
	w.run("blueprints", "preview", dir, "--mail", "reminder").want(t, 0, "Subject: St. Mary's Clinic: your invitation ends soon", "first administrator of St. Mary's Clinic on Clinic Cloud")
	if hospital := w.run("blueprints", "preview", "../../examples/blueprints/hospital").out; strings.Contains(hospital, "invitation") || !strings.Contains(hospital, "could not be set up yet") {
		t.Error(hospital)
	}
	w.run("blueprints", "preview", "../../examples/blueprints/hospital", "--mail", "reminder").want(t, 2, "tenants of the blueprint hospital get no reminder", "nobody is invited")
	w.run("blueprints", "preview", dir, "--mail", "goodbye").want(t, 2, `--mail is "goodbye"; give welcome, failure or reminder`)
	w.run("blueprints", "preview", dir, "--locale", "de_AT").want(t, 2, `--locale is "de_AT", which is no BCP 47 tag`)

	out := filepath.Join(dir, "mail") // The worst choice: the templates stay.
	w.run("blueprints", "preview", dir, "--locale", "de", "--out", out).want(t, 0, "preview-welcome.de.txt", "preview-failure.de.html")
	read := func(name string) string {
		t.Helper()
		content, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	if html := read("preview-welcome.de.html"); !strings.Contains(html, `<img src="preview-logo.png">`) || !strings.Contains(html, "Guten Tag Ada") {
		t.Error(html)
	}
	if read("preview-logo.png") != string(logo) || !strings.Contains(read("welcome.de.txt"), "{{.Name}}") {
		t.Error("the logo is not the blueprint's, or a template was replaced")
	}

	broken := writeBlueprint(t, map[string]string{
		"blueprint.yaml": clinicYAML, "mail/failure.txt": "Hello\n{{.Fullname}}\n", "mail/failure.html": "{{range .Name}}x{{end}}\n",
	})
	w.run("blueprints", "preview", broken).want(t, 1, "mail/failure.txt:2: has the unknown field {{.Fullname}}; known are", "mail/failure.html:1: has {{range}}", "has 2 problems")
}
