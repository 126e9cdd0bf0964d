//go:build unix

package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// pageWidth is the width of the output in characters; every terminal has as many.
const pageWidth = 78

// The colours.
const (
	bold   = "1"
	faint  = "2"
	red    = "1;31"
	green  = "32"
	yellow = "33"
	blue   = "36"
)

// terminalView prints the demo's output. Its methods may be called concurrently.
type terminalView struct {
	mu      sync.Mutex
	w       io.Writer
	colour  bool
	started time.Time
	running []string // The running stage, shown in a line that is updated.
}

func newTerminalView(w io.Writer, colour bool) *terminalView {
	return &terminalView{w: w, colour: colour, started: time.Now()}
}

func (s *terminalView) paint(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// print writes lines, and the updated line below them again.
func (s *terminalView) print(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clearLine()
	_, _ = fmt.Fprintf(s.w, format+"\n", args...) // The output may be closed.
	s.showRunning()
}

func (s *terminalView) clearLine() {
	if s.colour {
		_, _ = fmt.Fprint(s.w, "\r\x1b[K")
	}
}

func (s *terminalView) showRunning() {
	if s.colour && len(s.running) > 0 {
		_, _ = fmt.Fprint(s.w, s.paint(faint, "  … "+s.running[len(s.running)-1]))
	}
}

func (s *terminalView) setRunning(title string, isRunning bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if isRunning {
		s.running = append(s.running, title)
	} else {
		for i, other := range s.running {
			if other == title {
				s.running = append(s.running[:i], s.running[i+1:]...)
				break
			}
		}
	}
	s.clearLine()
	s.showRunning()
}

// Write prints a line of another component.
func (s *terminalView) Write(text []byte) (int, error) {
	s.print("    %s", s.paint(faint, strings.TrimRight(string(text), "\n")))
	return len(text), nil
}

// runStage runs a stage and prints its duration, or that it failed.
func (s *terminalView) runStage(title string, f func() error) error {
	return s.runStageWithOutcome(title, new(string), f)
}

// runStageWithOutcome runs a stage that returns a text for the output.
func (s *terminalView) runStageWithOutcome(title string, outcome *string, f func() error) error {
	s.setRunning(title, true)
	started := time.Now()
	err := f()
	elapsed := time.Since(started)
	s.setRunning(title, false)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			s.print("  %s %s", s.paint(red, "✗"), title)
		}
		return stageError(title, err)
	}
	text := title
	if *outcome != "" {
		text += ": " + *outcome
	}
	s.print("  %s %s%s", s.paint(green, "✓"), padRight(text, pageWidth-16), s.paint(faint, fmt.Sprintf("%8.2f s", elapsed.Seconds())))
	return nil
}

func (s *terminalView) printTitle(title, tool string) {
	s.print("\n  %s%s\n  %s", s.paint(bold, padRight(title, pageWidth-4-utf8.RuneCountInString(tool))), s.paint(faint, tool),
		s.paint(faint, strings.Repeat("─", pageWidth-4)))
}

func (s *terminalView) printHeading(text string) { s.print("\n    %s", s.paint(bold, text)) }

func (s *terminalView) printField(name, format string, args ...any) {
	s.print("    %s%s", s.paint(blue, padRight(name, 11)), fmt.Sprintf(format, args...))
}

func (s *terminalView) printFooter() {
	s.print("  %s\n  %s%s\n", s.paint(faint, strings.Repeat("─", pageWidth-4)),
		padRight("All of it ran on this machine, and is gone again now.", pageWidth-14),
		s.paint(faint, fmt.Sprintf("%8.2f s", time.Since(s.started).Seconds())))
	s.print("  Next: \"make build\", and the same by hand: README.md, \"To continue by hand\".\n")
}

// padRight pads text to n characters.
func padRight(text string, n int) string {
	return text + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(text)))
}

// shorten keeps both ends of a long text.
func shorten(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return text[:n/2] + "…" + text[len(text)-(n-n/2-1):]
}
