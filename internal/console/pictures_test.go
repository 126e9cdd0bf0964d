//go:build unix

package console_test

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// consolePictures are the pictures of the guide, by the page that each shows.
var consolePictures = []string{"console-today.png", "console-tenant.png", "console-live.png", "console-tenants-dark.png"}

// maxPicture is the largest size of a picture in a guide, in bytes.
const maxPicture = 200_000

// pictureWidth is the width of the pictures, in CSS pixels.
const pictureWidth = 1024

// TestConsole_Pictures leads to the pages that the guide shows. Where GUIDE_IMAGES names a folder, it writes their
// pictures: "make screenshots" does.
func TestConsole_Pictures(t *testing.T) {
	t.Parallel()
	// With a registry of its own: those of other tests are copies of one another, which the check of the platform finds.
	s := setupOn(t, testenv.EmptyDatabase(t), config.MailFailurePolicy+"=fail")
	for _, name := range []string{"St. Mary's Clinic", "Nordlicht Praxis", "北京中医医院"} {
		s.active(name)
	}
	s.mail.RejectRecipients(550, "5.1.1 no such mailbox here", -1)
	failed := s.inStatus(s.submit("Harbour Hospice"), "FAILED")
	s.mail.RejectRecipients(0, "", 0)
	b := s.signedIn(pictureWidth, s.key)
	picture := func(name string) {
		t.Helper()
		if dir := os.Getenv("GUIDE_IMAGES"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, name), b.Capture(), 0o644); err != nil {
				t.Error(err)
			}
		}
	}
	b.visit("/console")
	b.see("no such mailbox here")
	b.see("PostgreSQL has all that tenants need.")
	picture("console-today.png")
	b.visit("/console/tenants/" + failed)
	b.see("Why it failed")
	b.WaitFor(`!document.body.innerText.includes("Reading database and ledger")`)
	picture("console-tenant.png")

	s.net.Faults().HoldQueue(true)
	b.visit("/console/tenants/" + s.submit("Clinic of the Valley"))
	b.WaitFor(`document.querySelectorAll(".steps > .completed").length === 4 && document.querySelectorAll(".steps > .in-progress").length === 1`)
	picture("console-live.png")
	s.net.Faults().HoldQueue(false)
	b.WaitFor(`document.querySelector("h1 + .badge")?.textContent === "Active"`)

	testenv.SetColorScheme(t, b.Context, "dark")
	b.visit("/console/tenants")
	b.see("Harbour Hospice")
	picture("console-tenants-dark.png")
}

// TestGuidePictures: each picture of the guide exists and is small, and the guide shows no other.
func TestGuidePictures(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/guides/console.md")
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob("../../docs/images/console-*.png")
	if err != nil || len(found) != len(consolePictures) {
		t.Errorf("the pictures are %v, %v; run make screenshots", found, err)
	}
	for _, name := range consolePictures {
		if !strings.Contains(string(guide), "terraform-provider-healthcare/main/docs/images/"+name) {
			t.Errorf("the guide does not show %s", name)
		}
		text, err := os.ReadFile("../../docs/images/" + name)
		if err != nil {
			t.Errorf("%v: run make screenshots", err)
			continue
		}
		if size, err := png.DecodeConfig(bytes.NewReader(text)); err != nil || len(text) > maxPicture || size.Width != pictureWidth {
			t.Errorf("%s: %v, %d bytes, %d px wide", name, err, len(text), size.Width)
		}
	}
	if shown := regexp.MustCompile(`images/console-`).FindAllIndex(guide, -1); len(shown) != len(consolePictures) {
		t.Errorf("the guide shows %d pictures", len(shown))
	}
}
