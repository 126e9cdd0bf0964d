package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// bar is a progress bar on a terminal; elsewhere it is a line now and then.
type bar struct {
	what     string // Of which there are so many: tenants, contracts.
	terminal bool
	last     time.Time
	drawn    bool
}

func newBar(what string) *bar {
	return &bar{what: what, terminal: term.IsTerminal(int(os.Stderr.Fd()))}
}

// linePause keeps a log from being filled with progress.
const linePause = 10 * time.Second

func (b *bar) show(done, total int) {
	now := time.Now()
	if !b.terminal {
		if now.Sub(b.last) >= linePause || done == total {
			b.last = now
			fmt.Fprintf(os.Stderr, "%d of %d %s\n", done, total, b.what)
		}
		return
	}
	if now.Sub(b.last) < 50*time.Millisecond && done < total {
		return
	}
	const width = 40
	full := width * done / max(total, 1)
	b.last, b.drawn = now, true
	fmt.Fprintf(os.Stderr, "\r[%s%s] %d of %d %s", strings.Repeat("#", full), strings.Repeat(" ", width-full), done, total, b.what)
}

// clear takes the bar away, for a line of its own.
func (b *bar) clear() {
	if b.drawn {
		fmt.Fprint(os.Stderr, "\r"+strings.Repeat(" ", 80)+"\r")
		b.drawn = false
	}
}
