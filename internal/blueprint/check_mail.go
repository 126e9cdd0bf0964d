package blueprint

import (
	"bytes"
	"cmp"
	html "html/template"
	"image/png"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	ast "text/template/parse"
	"unicode/utf8"
)

// Limits of mails.
const (
	maxMailBytes     = 256 << 10
	maxMailText      = "256 kB"
	maxSubject       = 200 // Characters of the template's line.
	maxLogoDimension = 4096
)

// mailKey identifies a mail in a locale, whatever the case of the locale.
type mailKey struct {
	name   MailName
	locale string
}

// checkMails checks the files of the folder mail. It comes after blueprint.yaml was read.
func checkMails(c *collector, b *Blueprint) {
	files := map[mailKey]map[string]string{} // By form, the file.
	for _, m := range b.Mails {
		f, ok := b.mailForm(m.File)
		if !ok {
			checkLogo(c, m)
			continue
		}
		key := mailKey{f.name, strings.ToLower(f.locale)}
		if files[key] == nil {
			files[key] = map[string]string{}
		}
		if other := files[key][f.ext]; other != "" {
			c.add(m.File, 0, "is for the same locale as %s; remove one", other)
			continue
		}
		files[key][f.ext] = m.File
		checkMail(c, b, f, m)
	}
	for _, key := range slices.SortedFunc(maps.Keys(files), func(a, b mailKey) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.locale, b.locale))
	}) {
		form := files[key]
		switch {
		case form[".txt"] == "":
			c.add(form[".html"], 0, "has no text form; write %s, both are sent", strings.TrimSuffix(form[".html"], ".html")+".txt")
		case form[".html"] == "":
			c.add(form[".txt"], 0, "has no HTML form; write %s, both are sent", strings.TrimSuffix(form[".txt"], ".txt")+".html")
		}
	}
}

func checkLogo(c *collector, m MailFile) {
	if len(m.Content) > maxMailBytes {
		c.add(m.File, 0, "has more than %s; give a smaller picture, every mail has it", maxMailText)
		return
	}
	size, err := png.DecodeConfig(bytes.NewReader(m.Content))
	if err == nil && (size.Width > maxLogoDimension || size.Height > maxLogoDimension) {
		c.add(m.File, 0, "has %d × %d pixels; at most %d in each direction are possible", size.Width, size.Height, maxLogoDimension)
		return
	}
	if err == nil {
		_, err = png.Decode(bytes.NewReader(m.Content))
	}
	if err != nil {
		c.add(m.File, 0, "is no PNG (%s); save the picture as PNG", strings.TrimPrefix(err.Error(), "png: "))
	}
}

// checkMail checks one template.
func checkMail(c *collector, b *Blueprint, f mailForm, m MailFile) {
	switch {
	case len(m.Content) > maxMailBytes:
		c.add(m.File, 0, "has more than %s; shorten it", maxMailText)
		return
	case !utf8.Valid(m.Content) || bytes.IndexByte(m.Content, 0) >= 0:
		c.add(m.File, 0, "is not valid UTF-8 text; save it as UTF-8")
		return
	case len(bytes.TrimSpace(m.Content)) == 0:
		c.add(m.File, 0, "is empty; write the mail, or remove the file for the product's")
		return
	}
	before := len(c.problems)
	t := &mailChecker{c: c, file: m.File, line: 1, fields: mailFields, used: map[string]bool{}}
	body := string(m.Content)
	if f.ext == ".txt" {
		var subject *string
		if subject, body = splitSubject(body); subject != nil {
			t.checkSubject(*subject)
		}
		t.line += strings.Count(string(m.Content[:len(m.Content)-len(body)]), "\n")
	}
	t.check(body)
	if len(c.problems) > before {
		return
	}
	if f.name != MailFailure && b.Extends != BaseNone && !t.used["InvitationURL"] {
		c.add(m.File, 0, "has no {{.InvitationURL}}, so that nobody could choose a password; write it where the link belongs")
	}
	if b.Logo() == nil && strings.Contains(body, string(LogoURL)) {
		c.add(m.File, lineOf(body, string(LogoURL)), "shows %s, and there is no %s; add it, or write {{if .LogoURL}} around the picture", LogoURL, logoFile)
	}
	if f.ext == ".html" {
		t.checkHTML(body, b.SampleMailData(f.name))
	}
}

func lineOf(body, part string) int { return 1 + strings.Count(body[:strings.Index(body, part)], "\n") }

// mailFields are the fields of MailData.
var mailFields = func() (names []string) {
	for f := range reflect.TypeFor[MailData]().Fields() {
		names = append(names, f.Name)
	}
	return names
}()

// mailFunctions are the functions of mail templates, by how many arguments they take at least
// and at most. Each of them ends, and none makes much of little.
var mailFunctions = map[string][2]int{"and": {1, 16}, "or": {1, 16}, "not": {1, 1}, "eq": {2, 2}, "ne": {2, 2}, "print": {1, 16}}

// mailChecker checks a template by what it is made of, so that what passes cannot fail or go on
// for ever when a mail is composed, also in parts that sample data do not reach.
type mailChecker struct {
	c      *collector
	file   string
	line   int // Of the first line of the text.
	text   string
	fields []string
	used   map[string]bool // Fields.
}

func (m *mailChecker) add(pos ast.Pos, format string, args ...any) {
	m.c.add(m.file, m.line+strings.Count(m.text[:min(int(pos), len(m.text))], "\n"), format, args...)
}

func (m *mailChecker) checkSubject(subject string) {
	switch n := utf8.RuneCountInString(subject); {
	case subject == "":
		m.c.add(m.file, 1, "has an empty subject; write it after %s, or remove the line for the product's", subjectPrefix)
	case n > maxSubject:
		m.c.add(m.file, 1, "has a subject of %d characters; at most %d are possible", n, maxSubject)
	default:
		inSubject := *m
		inSubject.fields = slices.DeleteFunc(slices.Clone(mailFields), func(f string) bool { return f == "Subject" || f == "InvitationURL" || f == "LogoURL" })
		inSubject.check(subject)
	}
}

// templateError is the form of the errors of both template packages.
var templateError = regexp.MustCompile(`^(?:html/)?template: ?mail(?::(\d+))?(?::\d+)?: ?(?s:(.*))$`)

// addError adds an error of a template package, at its line.
func (m *mailChecker) addError(err error, remedy string) {
	line, message := 0, err.Error()
	if match := templateError.FindStringSubmatch(message); match != nil {
		message = match[2]
		if n, err := strconv.Atoi(match[1]); err == nil { // Some errors are of the file as a whole.
			line = m.line + n - 1
		}
	}
	m.c.add(m.file, line, "is no mail template: %s; %s", shorten(message), remedy)
}

const functionsRemedy = "known are and, or, not, eq, ne and print"

func (m *mailChecker) check(body string) {
	m.text = body
	functions := map[string]any{}
	for name := range mailFunctions {
		functions[name] = true
	}
	trees, err := ast.Parse("mail", body, "", "", functions)
	if err != nil {
		remedy := "correct it"
		if strings.Contains(err.Error(), "not defined") {
			remedy = functionsRemedy
		}
		m.addError(err, remedy)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(trees)) {
		if name != "mail" {
			m.add(trees[name].Root.Pos, "defines the template %q; write its text where it is used", shorten(name))
		}
	}
	if t := trees["mail"]; t != nil && len(trees) == 1 {
		m.list(t.Root)
	}
}

func (m *mailChecker) list(l *ast.ListNode) {
	if l == nil {
		return
	}
	for _, node := range l.Nodes {
		switch n := node.(type) {
		case *ast.TextNode:
		case *ast.ActionNode:
			m.pipe(n.Pipe)
		case *ast.IfNode:
			m.pipe(n.Pipe)
			m.list(n.List)
			m.list(n.ElseList)
		case *ast.RangeNode:
			m.add(n.Pos, "has {{range}}, and no value of a mail is a list; remove it")
		default:
			m.add(n.Position(), "has %s; only values such as {{.Name}}, {{if}} and {{else}} are possible, write it with these", shorten(strings.SplitN(n.String(), "\n", 2)[0]))
		}
	}
}

func (m *mailChecker) pipe(p *ast.PipeNode) {
	if len(p.Decl) > 0 || len(p.Cmds) != 1 {
		m.add(p.Pos, "has {{%s}} with a variable or |; write the values themselves", shorten(p.String()))
		return
	}
	m.command(p.Cmds[0])
}

// command checks a value, or a function with its arguments.
func (m *mailChecker) command(cmd *ast.CommandNode) {
	function, ok := cmd.Args[0].(*ast.IdentifierNode)
	if !ok {
		if len(cmd.Args) > 1 {
			m.add(cmd.Pos, "has {{%s}}, where no function comes first; %s", shorten(cmd.String()), functionsRemedy)
			return
		}
		m.value(cmd.Args[0], true)
		return
	}
	limits, args := mailFunctions[function.Ident], cmd.Args[1:]
	if len(args) < limits[0] || len(args) > limits[1] {
		m.add(cmd.Pos, "has {{%s}} with %d arguments; %s takes %d to %d", shorten(cmd.String()), len(args), function.Ident, limits[0], limits[1])
		return
	}
	for _, arg := range args {
		m.value(arg, function.Ident != "eq" && function.Ident != "ne") // These compare texts alone.
	}
}

func (m *mailChecker) value(node ast.Node, nested bool) {
	switch n := node.(type) {
	case *ast.FieldNode:
		if len(n.Ident) > 1 || !slices.Contains(m.fields, n.Ident[0]) {
			m.add(n.Pos, "has the unknown field {{%s}}; known are .%s", shorten(n.String()), strings.Join(m.fields, ", ."))
			return
		}
		m.used[n.Ident[0]] = true
	case *ast.StringNode:
	case *ast.PipeNode:
		if nested {
			m.pipe(n)
			return
		}
		m.add(n.Pos, "compares (%s); eq and ne compare values such as .Locale with texts, write it with these", shorten(n.String()))
	default:
		m.add(n.Position(), "has {{%s}}; write values such as {{.Name}} and texts in quotes", shorten(n.String()))
	}
}

// checkHTML renders the HTML form: only then are the contexts of its values known.
func (m *mailChecker) checkHTML(body string, data MailData) {
	t, err := html.New("mail").Parse(body)
	if err == nil {
		_, err = execute(t, data)
	}
	if err != nil {
		m.addError(err, "correct the HTML around the value")
	}
}
