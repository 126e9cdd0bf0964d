package architecture_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	codeBlock    = regexp.MustCompile("(?ms)^\\s*```.*?^\\s*```")
	markdownLink = regexp.MustCompile(`\]\(<?([^)\s>]+)>?\)`)
	heading      = regexp.MustCompile(`(?m)^#{1,6} +(.*)$`)
	ownAnchor    = regexp.MustCompile(`<a id="([^"]+)">`)
	notInAnchor  = regexp.MustCompile(`[^\p{L}\p{N}\p{M}_ -]`)
)

// repositoryFiles begins links to the repository from pages that the Terraform Registry shows.
const repositoryFiles = "https://github.com/healthcare-platform/terraform-provider-healthcare/"

// TestDocuments_Links: each link from a document to a file leads to one, and each link to a
// heading to a heading of that page.
func TestDocuments_Links(t *testing.T) {
	t.Parallel()
	var pages []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "examples/*/*.md", "examples/*/*/*.md"} {
		found, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	links := 0
	for _, page := range pages {
		for _, m := range markdownLink.FindAllStringSubmatch(textOf(t, page), -1) {
			target, fragment, hasFragment := strings.Cut(m[1], "#")
			if rest, ok := strings.CutPrefix(target, repositoryFiles); ok {
				kind, path, found := strings.Cut(rest, "/main/")
				if !found || kind != "blob" && kind != "tree" {
					continue // Issues, releases and forms.
				}
				target = filepath.Join("../..", path)
			} else if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			} else if target == "" {
				target = page
			} else {
				target = filepath.Join(filepath.Dir(page), target)
			}
			links++
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			} else if hasFragment && !slices.Contains(anchorsOf(t, target), fragment) {
				t.Errorf("%s links to %s, and that page has no such heading", page, m[1])
			}
		}
	}
	if links < 300 {
		t.Errorf("only %d links were found in %d pages", links, len(pages))
	}
}

// textOf is a page without its code.
func textOf(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return codeBlock.ReplaceAllString(string(text), "")
}

// anchorsOf are the fragments of a page's headings, as GitHub and the Terraform Registry make them.
func anchorsOf(t *testing.T, page string) (all []string) {
	t.Helper()
	if filepath.Ext(page) != ".md" {
		return nil
	}
	for _, m := range heading.FindAllStringSubmatch(textOf(t, page), -1) {
		words := notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(m[1])), "")
		all = append(all, strings.ReplaceAll(words, " ", "-"))
	}
	for _, m := range ownAnchor.FindAllStringSubmatch(textOf(t, page), -1) {
		all = append(all, m[1])
	}
	return all
}
