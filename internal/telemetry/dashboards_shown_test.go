//go:build unix

package telemetry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// curve is one line of a chart.
type curve struct {
	Name   string
	Points []point
}

type point struct{ At, Value float64 }

// ask returns the result of a panel's query: curves over six hours or, instantly, their last points.
func ask(t *testing.T, server, expression, legend string, instant bool, end time.Time) (curves []curve) {
	t.Helper()
	path, values := "/api/v1/query", url.Values{"query": {query(expression)}, "time": {strconv.FormatInt(end.Unix(), 10)}}
	if !instant {
		path = "/api/v1/query_range"
		values.Set("start", strconv.FormatInt(end.Add(-6*time.Hour).Unix(), 10))
		values.Set("end", strconv.FormatInt(end.Unix(), 10))
		values.Set("step", "120")
	}
	answer, err := http.Get(server + path + "?" + values.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var body struct {
		Status, Error string
		Data          struct {
			Result []struct {
				Metric map[string]string
				Value  []any
				Values [][]any
			}
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil || body.Status != "success" {
		t.Fatalf("%s: %s, %v", expression, body.Error, err)
	}
	for _, r := range body.Data.Result {
		c := curve{Name: legend}
		for label, value := range r.Metric {
			c.Name = strings.ReplaceAll(c.Name, "{{"+label+"}}", value)
		}
		if r.Value != nil {
			r.Values = [][]any{r.Value}
		}
		for _, v := range r.Values {
			at, _ := v[0].(float64)
			text, _ := v[1].(string)
			if value, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(value) {
				c.Points = append(c.Points, point{at, value})
			}
		}
		if len(c.Points) > 0 {
			curves = append(curves, c)
		}
	}
	return curves
}

// TestDashboards_Shown: on a platform that lives, each query of each panel has a result, with its
// legend filled in. SCREENSHOTS names a folder for pictures, since there is no Grafana here.
func TestDashboards_Shown(t *testing.T) {
	t.Parallel()
	end := time.Now().Add(-time.Minute).Truncate(time.Minute)
	server := startPrometheus(t, record(t, end))
	end = end.Add(-2 * time.Minute)
	for name, d := range readDashboards(t) {
		var shown []shownPanel
		for _, p := range d.Panels {
			s := shownPanel{panel: p}
			for _, target := range p.Targets {
				curves := ask(t, server, target.Expr, target.LegendFormat, target.Instant, end)
				if len(curves) == 0 {
					t.Errorf("%s, panel %q: %s has no result", name, p.Title, target.Expr)
				}
				for _, c := range curves {
					if strings.Contains(c.Name, "{{") {
						t.Errorf("%s, panel %q: the result has no label for the legend %s", name, p.Title, c.Name)
					}
				}
				s.Curves = append(s.Curves, curves...)
			}
			if p.Type == "stat" && len(s.Curves) != 1 {
				t.Errorf("%s, panel %q: %d values", name, p.Title, len(s.Curves))
			}
			shown = append(shown, s)
		}
		if dir := os.Getenv("SCREENSHOTS"); dir != "" {
			takePicture(t, filepath.Join(dir, "dashboard-"+name+".png"), d.Title, shown)
		}
	}
}

// shownPanel is a panel with its results.
type shownPanel struct {
	panel
	Curves []curve
}

var colors = []string{"#2a9d4a", "#d9822b", "#3a7bd5", "#c23b4e", "#8b5fbf", "#1f9e9e", "#a68a1d", "#667"}

// Format writes a value in the panel's unit, as Grafana would.
func (p shownPanel) Format(v float64) string {
	switch unit := p.FieldConfig.Defaults.Unit; {
	case unit == "percentunit":
		return fmt.Sprintf("%.3g %%", v*100)
	case unit == "s" && v != 0 && math.Abs(v) < 1:
		return fmt.Sprintf("%.3g ms", v*1000)
	case unit == "s" && math.Abs(v) >= 120:
		return fmt.Sprintf("%.3g min", v/60)
	case unit == "s":
		return fmt.Sprintf("%.3g s", v)
	case math.Abs(v) >= 1e9:
		return fmt.Sprintf("%.4g Bil", v/1e9)
	case math.Abs(v) >= 1e6:
		return fmt.Sprintf("%.4g Mil", v/1e6)
	case unit == "ops" || unit == "reqps":
		return fmt.Sprintf("%.3g /s", v)
	}
	return fmt.Sprintf("%.4g", v)
}

// Last is the last value of a panel with one.
func (p shownPanel) Last() string {
	if len(p.Curves) == 0 {
		return "no data"
	}
	points := p.Curves[0].Points
	return p.Format(points[len(points)-1].Value)
}

// Top is the largest value of a chart.
func (p shownPanel) Top() (top float64) {
	for _, c := range p.Curves {
		for _, at := range c.Points {
			top = max(top, at.Value)
		}
	}
	return top
}

// Line is a curve as the points of an SVG polyline in a box of 400 by 120.
func (p shownPanel) Line(c curve) string {
	first, last, top := math.Inf(1), math.Inf(-1), p.Top()
	for _, other := range p.Curves {
		first, last = min(first, other.Points[0].At), max(last, other.Points[len(other.Points)-1].At)
	}
	var b strings.Builder
	for _, at := range c.Points {
		fmt.Fprintf(&b, "%.1f,%.1f ", 400*(at.At-first)/max(last-first, 1), 118-116*at.Value/max(top, 1e-9))
	}
	return b.String()
}

// Color is that of the curve with a number.
func (p shownPanel) Color(i int) string { return colors[i%len(colors)] }

var dashboardPage = template.Must(template.New("").Parse(`<!DOCTYPE html><meta charset="utf-8"><style>
body{font:13px sans-serif;margin:12px;background:#f4f5f5;color:#222} h1{font-size:18px;margin:0 0 8px} main{display:grid;grid-template-columns:repeat(24,1fr);gap:8px}
section{background:#fff;border:1px solid #ddd;border-radius:3px;padding:6px 8px;overflow:hidden} section.row{border:0;background:none;font-weight:bold;padding:6px 0 0}
h2{font-size:13px;margin:0 0 4px} .stat{font-size:26px;text-align:center;padding:8px 0} svg{width:100%;height:120px;background:#fafafa} ul{list-style:none;margin:4px 0 0;padding:0;font-size:11px}
li{display:inline-block;margin-right:10px} i{display:inline-block;width:10px;height:3px;margin-right:3px;vertical-align:middle} small{color:#777}
</style><h1>{{.Title}}</h1><main>{{range $p := .Panels}}
<section class="{{.Type}}" style="grid-column:{{.Column}} / span {{.GridPos.W}}"><h2>{{.Title}}</h2>
{{if eq .Type "stat"}}<div class="stat">{{.Last}}</div>{{else if eq .Type "timeseries"}}<small>0 to {{.Format .Top}}</small>
<svg viewBox="0 0 400 120" preserveAspectRatio="none">{{range $i, $c := .Curves}}<polyline fill="none" stroke="{{$p.Color $i}}" stroke-width="1.5" vector-effect="non-scaling-stroke" points="{{$p.Line $c}}"/>{{end}}</svg>
<ul>{{range $i, $c := .Curves}}<li><i style="background:{{$p.Color $i}}"></i>{{$c.Name}}</li>{{end}}</ul>{{end}}</section>{{end}}</main>`))

// Column is the first column of a panel, from 1.
func (p shownPanel) Column() int { return p.GridPos.X + 1 }

// takePicture draws a dashboard as a page and writes a picture of it.
func takePicture(t *testing.T, file, title string, panels []shownPanel) {
	t.Helper()
	slices.SortStableFunc(panels, func(a, b shownPanel) int {
		return (a.GridPos.Y-b.GridPos.Y)*100 + a.GridPos.X - b.GridPos.X
	})
	var html bytes.Buffer
	if err := dashboardPage.Execute(&html, map[string]any{"Title": title, "Panels": panels}); err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(t.TempDir(), "dashboard.html")
	if err := os.WriteFile(source, html.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx := testenv.Browser(t, 1280)
	if err := chromedp.Do(ctx, chromedp.Navigate("file://"+source)); err != nil {
		t.Fatal(err)
	}
	height, err := chromedp.Run(ctx, chromedp.Evaluate[float64](`Math.ceil(document.querySelector("main").getBoundingClientRect().bottom) + 12`))
	if err != nil {
		t.Fatal(err)
	}
	all := true
	shot, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
		CaptureBeyondViewport: &all, Clip: &page.Viewport{Width: 1280, Height: height, Scale: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, shot.Data, 0o644); err != nil {
		t.Fatal(err)
	}
}
