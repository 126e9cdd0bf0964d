//go:build unix

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stack"
)

// printer prints progress for the user.
type printer struct {
	mu        sync.Mutex
	w         io.Writer
	colour    bool
	startedAt time.Time
}

func newPrinter(w io.Writer) *printer {
	file, isFile := w.(*os.File)
	return &printer{
		w: w, startedAt: time.Now(),
		colour: isFile && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
	}
}

// printf writes a line; it ignores errors, because a closed output must not stop
// devstack.
func (p *printer) printf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = fmt.Fprintf(p.w, "devstack: "+format+"\n", args...)
}

// Write prints the lines of other components.
func (p *printer) Write(text []byte) (int, error) {
	p.printf("%s", strings.TrimRight(string(text), "\n"))
	return len(text), nil
}

func (p *printer) paint(code, text string) string {
	if !p.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p *printer) componentStarted(part stack.Component) {
	p.printf("%-15s  %-28s  %s", part.Name, part.Address, p.paint("2", formatSeconds(part.Duration)))
}

func (p *printer) stackReady(f flags) {
	p.printf("%s in %s", p.paint("1;32", "ready"), formatSeconds(time.Since(p.startedAt)))
	switch {
	case len(f.command) > 0:
	case f.envFile != "":
		p.printf("the settings are in %s; stop with Ctrl-C", f.envFile)
	default:
		p.printf("the settings follow; stop with Ctrl-C")
	}
}

func (p *printer) printError(err error) { p.printf("%s %v", p.paint("1;31", "error:"), err) }

func formatSeconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
