package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
	"sync"
)

//go:embed templates
var templateFiles embed.FS

// views are the templates of all pages, parsed once for each language.
type views struct {
	assets *assets
	sets   map[string]func() map[string]*template.Template
}

func newViews(a *assets) *views {
	v := &views{assets: a, sets: map[string]func() map[string]*template.Template{}}
	for _, language := range languages {
		v.sets[language] = sync.OnceValue(func() map[string]*template.Template { return v.parse(language) })
	}
	return v
}

// parse makes one set of templates for each page: the frame, the parts that pages share, and its own file.
// It panics for a template that cannot be parsed, which tests would see.
func (v *views) parse(language string) map[string]*template.Template {
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		panic(err)
	}
	shared := template.Must(template.New("").Funcs(v.functions(language)).ParseFS(templateFiles, "templates/frame.html", "templates/parts.html"))
	set := map[string]*template.Template{}
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name != "frame" && name != "parts" {
			set[name] = template.Must(template.Must(shared.Clone()).ParseFS(templateFiles, file))
		}
	}
	return set
}

// page writes a whole page, or its content alone where it is shown in a dialog.
func (v *views) page(b *bytes.Buffer, language, name string, data view) error {
	block := "frame"
	if data.Dialog {
		block = "content"
	}
	return v.fragment(b, language, name, block, data)
}

// fragment writes one block of a page's templates.
func (v *views) fragment(b *bytes.Buffer, language, name, block string, data any) error {
	t := v.sets[language]()[name]
	if t == nil {
		return fmt.Errorf("render page: there is no template %q", name)
	}
	if err := t.ExecuteTemplate(b, block, data); err != nil {
		return fmt.Errorf("render page %q: %w", name, err)
	}
	return nil
}
