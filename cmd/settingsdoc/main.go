// Command settingsdoc prints the guide with all settings, for "make generate".
package main

import (
	_ "embed"
	"fmt"
	"io"
	"os"
	"strings"
	"text/template"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

//go:embed page.md.tmpl
var page string

func main() {
	if err := write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "settingsdoc:", err)
		os.Exit(1)
	}
}

// group is a table of the page.
type group struct {
	Name     string
	Settings []config.Setting
}

func write(w io.Writer) error {
	t, err := template.New("page").Funcs(template.FuncMap{"code": code, "cell": cell}).Parse(page)
	if err != nil {
		return err
	}
	return t.Execute(w, groups())
}

func groups() (all []group) {
	for _, s := range config.DocumentedSettings() {
		if len(all) == 0 || all[len(all)-1].Name != s.Group {
			all = append(all, group{Name: s.Group})
		}
		last := &all[len(all)-1]
		last.Settings = append(last.Settings, s)
	}
	return all
}

// code returns a cell with a name, in a code span.
func code(prefix, text string) string {
	if text == "" {
		return ""
	}
	return "`" + prefix + text + "`"
}

// cell returns a cell with a text, in which Markdown has no meaning.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "_", `\_`).Replace(text)
}
