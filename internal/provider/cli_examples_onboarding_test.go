package provider_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// runOnboarding accepts an invitation as a platform's own page does, signs in, and looks who has
// not come yet.
func runOnboarding(t *testing.T, w *testEnv) {
	const guide = "guides/onboarding/"
	var names [][]string
	for _, settings := range []string{"settings.sh", "own-page.sh", "microsoft.sh", "google.sh"} {
		w.copyExample(guide+settings, settings)
		w.mustShell("-eu", settings)
		names = append(names, regexp.MustCompile(`\b([A-Z_]+)=`).FindAllStringSubmatch(w.read(settings), -1)...)
	}
	known(t, names)
	for _, script := range []string{"endpoints.sh", "renew.sh", "status.sh", "invite.sh", "sign-in.sh", "expired.tf", "users.sql"} {
		w.copyExample(guide+script, script, "https://tenants.platform.example", w.server.url)
	}
	w.write("main.tf", header+clinic)
	w.mustApply()
	token := func() string {
		return w.invitationLink("ada@st-marys.example")[len(w.invitationLink("ada@st-marys.example"))-43:]
	}
	w.env["TOKEN"], w.env["PASSWORD"] = token(), password
	w.mustShell("-eu", "endpoints.sh").wantText(t, `"status":"PENDING"`, `"tenantName":"St. Mary's Clinic"`, `"redirectUrl":"`+w.env["APP_URL"]+"/tenant/")
	w.mustShell("-eu", "status.sh").wantText(t, "0 of 0 tenants", "Invitation ACCEPTED")

	login := w.openLogin()
	script := fmt.Sprintf("#!/bin/sh\n[ \"$1 $2\" = 'run ./examples/sign-in' ] && DATABASE_URL='%s' exec '%s' \"$3\"\n", login, testenv.Program(t, "examples/sign-in"))
	if err := os.WriteFile(filepath.Join(w.dir, "tools/go"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	w.write("password.txt", password+"\n")
	w.mustShell("-eu", "sign-in.sh").wantText(t, "ada@st-marys.example signs in as ", "with the role admin")
	var id, hash, role string
	if err := testenv.Connect(t, login).QueryRow(t.Context(), w.read("users.sql"), "ADA@st-marys.example").Scan(&id, &hash, &role); err != nil || role != "admin" {
		t.Errorf("%q, %v", role, err)
	}

	w.mustShell("-eu", "invite.sh").wantText(t, `The welcome mail of "St. Mary's Clinic"`, "to ada@st-marys.example is SENT. Invitation: PENDING, until ")
	w.registry.ExpireInvitations()
	w.mustShell("-eu", "status.sh").wantText(t, "1 of 1 tenants", "Invitation EXPIRED")
	w.mustApply().wantText(t, "not_accepted_in_time", "St. Mary's Clinic")
	w.env["TOKEN"] = token()
	w.mustShell("-eu", "renew.sh").wantText(t, `"status":"sent"`)
	w.env["TOKEN"] = token()
	w.mustShell("-eu", "endpoints.sh").wantText(t, `"status":"PENDING"`, "redirectUrl")
}
