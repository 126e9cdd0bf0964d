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

// width is that of the page in characters; every terminal has as many.
const width = 78

// The colours.
const (
	bold   = "1"
	faint  = "2"
	red    = "1;31"
	green  = "32"
	yellow = "33"
	blue   = "36"
)

// screen is what a person sees. Its methods may be called concurrently.
type screen struct {
	mu     sync.Mutex
	w      io.Writer
	colour bool
	begun  time.Time
	busy   []string // What is being done, shown in a line that changes.
}

func newScreen(w io.Writer, colour bool) *screen {
	return &screen{w: w, colour: colour, begun: time.Now()}
}

func (s *screen) paint(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// print writes lines, and the one that changes below them again.
func (s *screen) print(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
	_, _ = fmt.Fprintf(s.w, format+"\n", args...) // Nobody may be looking.
	s.showBusy()
}

func (s *screen) wipe() {
	if s.colour {
		_, _ = fmt.Fprint(s.w, "\r\x1b[K")
	}
}

func (s *screen) showBusy() {
	if s.colour && len(s.busy) > 0 {
		_, _ = fmt.Fprint(s.w, s.paint(faint, "  … "+s.busy[len(s.busy)-1]))
	}
}

func (s *screen) setBusy(title string, busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if busy {
		s.busy = append(s.busy, title)
	} else {
		for i, other := range s.busy {
			if other == title {
				s.busy = append(s.busy[:i], s.busy[i+1:]...)
				break
			}
		}
	}
	s.wipe()
	s.showBusy()
}

// Write shows a line of somebody else's.
func (s *screen) Write(text []byte) (int, error) {
	s.print("    %s", s.paint(faint, strings.TrimRight(string(text), "\n")))
	return len(text), nil
}

// stage does something and shows how long it took, or that it failed.
func (s *screen) stage(title string, act func() error) error {
	return s.report(title, new(string), act)
}

// report is a stage that finds out what came of it.
func (s *screen) report(title string, outcome *string, act func() error) error {
	s.setBusy(title, true)
	begun := time.Now()
	err := act()
	took := time.Since(begun)
	s.setBusy(title, false)
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
	s.print("  %s %s%s", s.paint(green, "✓"), fill(text, width-16), s.paint(faint, fmt.Sprintf("%8.2f s", took.Seconds())))
	return nil
}

func (s *screen) title(title, tool string) {
	s.print("\n  %s%s\n  %s", s.paint(bold, fill(title, width-4-utf8.RuneCountInString(tool))), s.paint(faint, tool),
		s.paint(faint, strings.Repeat("─", width-4)))
}

func (s *screen) heading(text string) { s.print("\n    %s", s.paint(bold, text)) }

func (s *screen) field(name, format string, args ...any) {
	s.print("    %s%s", s.paint(blue, fill(name, 11)), fmt.Sprintf(format, args...))
}

func (s *screen) end() {
	s.print("  %s\n  %s%s\n", s.paint(faint, strings.Repeat("─", width-4)),
		fill("All of it ran on this machine, and is gone again now.", width-14),
		s.paint(faint, fmt.Sprintf("%8.2f s", time.Since(s.begun).Seconds())))
}

// fill pads text to n characters.
func fill(text string, n int) string {
	return text + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(text)))
}

// shorten keeps both ends of a long text.
func shorten(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return text[:n/2] + "…" + text[len(text)-(n-n/2-1):]
}
