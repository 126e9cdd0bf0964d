package console

import (
	"fmt"
	"html/template"
	"strings"
)

// bar is one bar of a chart: two values on one another, and what it says for people.
type bar struct {
	Good, Bad int64
	Label     string
}

const (
	chartHeight = 48 // In units of the drawing, as the next two.
	barWidth    = 10
	barGap      = 2
)

// bars draws a chart as SVG: it needs no script, and the table beside it has the numbers for those who do not
// see it. label says what it shows.
func bars(label string, all []bar) template.HTML {
	highest := int64(1)
	for _, b := range all {
		highest = max(highest, b.Good+b.Bad)
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<svg class="chart" role="img" aria-label="%s" viewBox="0 0 %d %d" preserveAspectRatio="none">`,
		template.HTMLEscapeString(label), len(all)*(barWidth+barGap), chartHeight)
	height := func(n int64) int64 { // A value that is not zero can be seen.
		if n == 0 {
			return 0
		}
		return max(2, n*(chartHeight-2)/highest)
	}
	for i, b := range all {
		x, good, bad := i*(barWidth+barGap), height(b.Good), height(b.Bad)
		fmt.Fprintf(&s, `<g><title>%s</title><rect class="base" x="%d" y="0" width="%d" height="%d"></rect>`, template.HTMLEscapeString(b.Label), x, barWidth, chartHeight)
		fmt.Fprintf(&s, `<rect class="good" x="%d" y="%d" width="%d" height="%d"></rect>`, x, chartHeight-good, barWidth, good)
		fmt.Fprintf(&s, `<rect class="bad" x="%d" y="%d" width="%d" height="%d"></rect></g>`, x, max(0, chartHeight-good-bad), barWidth, bad)
	}
	s.WriteString("</svg>")
	return template.HTML(s.String()) //nolint:gosec // numbers, and escaped texts
}
