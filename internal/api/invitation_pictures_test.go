//go:build unix

package api_test

import (
	"bytes"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// guidePictures are the pictures of docs/images, by their names, and what each shows: a state, a
// language, a scheme and a width, as in the names of all pictures. "make screenshots" makes them.
var guidePictures = map[string]string{
	"invitation-form.png":    "form-en-light-360",
	"invitation-problem.png": "too-short-en-light-360",
	"invitation-done.png":    "done-en-light-360",
	"invitation-expired.png": "expired-en-light-360",
	"invitation-dark.png":    "form-de-dark-1280",
}

// maxPicture is the largest size of a picture in a guide, in bytes.
const maxPicture = 60_000

// picture writes a picture of the page where SCREENSHOTS names a folder, and where GUIDE_IMAGES
// does, if a guide has it.
func (p *invitationPage) picture(name string) {
	p.t.Helper()
	var files []string
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		files = append(files, filepath.Join(dir, name+".png"))
	}
	if dir := os.Getenv("GUIDE_IMAGES"); dir != "" {
		for file, shows := range guidePictures {
			if shows == name {
				files = append(files, filepath.Join(dir, file))
			}
		}
	}
	if len(files) == 0 {
		return
	}
	text := p.Capture()
	for _, file := range files {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			p.t.Error(err)
		}
	}
}

// pictureLink is a link of a guide to a picture. It is absolute: the Terraform registry shows no others.
var pictureLink = regexp.MustCompile(`https://raw\.githubusercontent\.com/healthcare-platform/terraform-provider-healthcare/main/docs/images/([\w.-]+)`)

// anyPicture is a link to a picture in any form.
var anyPicture = regexp.MustCompile(`(\]\(|src=")[^)"\s]*images/`)

// TestGuidePictures: each picture of a guide exists, is small, and shows a state that
// TestInvitationPage_States still leads the page through; no picture is left over.
func TestGuidePictures(t *testing.T) {
	t.Parallel()
	linked := map[string]bool{}
	err := filepath.WalkDir("../../docs", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".md") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, link := range pictureLink.FindAllSubmatch(text, -1) {
			if strings.HasPrefix(string(link[1]), "console-") { // Package console has a test for these.
				continue
			}
			linked[string(link[1])] = true
			if guidePictures[string(link[1])] == "" {
				t.Errorf("%s refers to %s, which no test makes", path, link[1])
			}
		}
		if all := len(anyPicture.FindAll(text, -1)); all != len(pictureLink.FindAll(text, -1)) {
			t.Errorf("%s has a link to a picture in another form than %s", path, pictureLink)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for file, shows := range guidePictures {
		if !linked[file] {
			t.Errorf("no guide refers to %s", file)
		}
		if !slices.ContainsFunc(invitationStates, func(s invitationState) bool {
			return slices.Contains(s.pictures(), shows)
		}) {
			t.Errorf("no state of the page is %s", shows)
		}
		text, err := os.ReadFile("../../docs/images/" + file)
		if err != nil {
			t.Errorf("%v: run make screenshots", err)
			continue
		}
		config, err := png.DecodeConfig(bytes.NewReader(text))
		if err != nil || len(text) > maxPicture || !slices.Contains([]int{360, 1280}, config.Width) || config.Height < 100 {
			t.Errorf("%s: %v, %d bytes, %d x %d", file, err, len(text), config.Width, config.Height)
		}
	}
	found, err := os.ReadDir("../../docs/images")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range found {
		if guidePictures[file.Name()] == "" && !strings.HasPrefix(file.Name(), "console-") {
			t.Errorf("docs/images/%s is left over", file.Name())
		}
	}
}
