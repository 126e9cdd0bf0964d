package console

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
)

// texts are all English texts of templates and code, in the order of the alphabet.
func texts(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	add := func(quoted string) {
		text, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatalf("%s: %v", quoted, err)
		}
		if text != "" {
			found[text] = true
		}
	}
	quoted := `("(?:[^"\\]|\\.)*")`
	templates := []*regexp.Regexp{regexp.MustCompile(`\bt ` + quoted), regexp.MustCompile(`\bcount \S+ ` + quoted + ` ` + quoted), regexp.MustCompile(`\bcount \(.*?\) ` + quoted + ` ` + quoted)}
	code := []*regexp.Regexp{
		regexp.MustCompile(`translate\(\w*\.?\w+, ` + quoted), regexp.MustCompile(`\.fail\([^,]+, ` + quoted), regexp.MustCompile(`\.view\("\w*", ` + quoted),
		regexp.MustCompile(`return ("[A-Z][a-z]+ [^"]+")\n`), regexp.MustCompile(`(?:Verb|Explanation|Label): ` + quoted), regexp.MustCompile(`:\s+\{("[A-Z][^"]+"), "`),
	}
	scan := func(text string, patterns []*regexp.Regexp) {
		for _, p := range patterns {
			for _, match := range p.FindAllStringSubmatch(text, -1) {
				for _, group := range match[1:] {
					add(group)
				}
			}
		}
	}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := fs.ReadFile(templateFiles, file)
		if err != nil {
			t.Fatal(err)
		}
		scan(string(text), templates)
	}
	sources, err := filepath.Glob("*.go")
	if err != nil || len(sources) == 0 {
		t.Fatal(sources, err)
	}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(source, "_test.go") {
			scan(string(text), code)
		}
	}
	for _, table := range []map[string]string{statusTexts, stepTexts, doneTexts} {
		for _, text := range table {
			found[text] = true
		}
	}
	var all []string
	for text := range found {
		all = append(all, text)
	}
	slices.Sort(all)
	return all
}

var verb = regexp.MustCompile(`%[sd]`)

func TestGermanTexts(t *testing.T) {
	t.Parallel()
	all := texts(t)
	for _, text := range all {
		german, ok := germanTexts[text]
		if !ok {
			t.Errorf("%q has no German text", text)
			continue
		}
		if !slices.Equal(verb.FindAllString(text, -1), verb.FindAllString(german, -1)) {
			t.Errorf("%q and %q have different values", text, german)
		}
	}
	for text := range germanTexts {
		if !slices.Contains(all, text) {
			t.Errorf("%q is nowhere in the pages", text)
		}
	}
}

func TestGermanTopics_HaveEachTextOnce(t *testing.T) {
	t.Parallel()
	count := 0
	for _, topic := range germanTopics {
		count += len(topic)
	}
	if count != len(germanTexts) {
		t.Errorf("the topics have %d texts, %d different ones", count, len(germanTexts))
	}
}

func TestAttentionTexts(t *testing.T) {
	t.Parallel()
	for _, kind := range monitoring.AttentionKinds() {
		if attentionTexts[string(kind)].heading == "" {
			t.Errorf("the first page has no heading for %s", kind)
		}
	}
	if len(attentionTexts) != len(monitoring.AttentionKinds()) {
		t.Errorf("there are headings for %d kinds of %d", len(attentionTexts), len(monitoring.AttentionKinds()))
	}
}
