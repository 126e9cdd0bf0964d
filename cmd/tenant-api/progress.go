package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// progressBar is a progress bar on a terminal; elsewhere it prints one line per
// lineInterval.
type progressBar struct {
	unit     string // tenants or contracts.
	terminal bool
	drawnAt  time.Time
	drawn    bool
}

func newProgressBar(unit string) *progressBar {
	return &progressBar{unit: unit, terminal: term.IsTerminal(int(os.Stderr.Fd()))}
}

// lineInterval is the minimum time between two progress lines.
const lineInterval = 10 * time.Second

func (b *progressBar) update(done, total int) {
	now := time.Now()
	if !b.terminal {
		if now.Sub(b.drawnAt) >= lineInterval || done == total {
			b.drawnAt = now
			fmt.Fprintf(os.Stderr, "%d of %d %s\n", done, total, b.unit)
		}
		return
	}
	if now.Sub(b.drawnAt) < 50*time.Millisecond && done < total {
		return
	}
	const width = 40
	filled := width * done / max(total, 1)
	b.drawnAt, b.drawn = now, true
	fmt.Fprintf(os.Stderr, "\r[%s%s] %d of %d %s", strings.Repeat("#", filled), strings.Repeat(" ", width-filled), done, total, b.unit)
}

// clear removes the bar before another line is printed.
func (b *progressBar) clear() {
	if b.drawn {
		fmt.Fprint(os.Stderr, "\r"+strings.Repeat(" ", 80)+"\r")
		b.drawn = false
	}
}
