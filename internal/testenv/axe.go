//go:build unix

package testenv

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

//go:embed js/package.json js/package-lock.json
var jsFiles embed.FS

// Axe runs axe-core, which finds accessibility violations on a page. Its rules are those of WCAG 2.2, levels A and AA,
// and its own best practices. It knows nothing of what only a person can judge.
type Axe struct{ source string }

// AxeFinding is one element, and a rule that it breaks or may break.
type AxeFinding struct{ Rule, Impact, Target, Message string }

// AxeReport is what one run found.
type AxeReport struct {
	Violations []AxeFinding
	Incomplete []AxeFinding // What axe-core could not decide.
	Passed     []string     // The rules that at least one element keeps.
}

// runAxe disables no rule, and runs also those that axe-core leaves out by default.
const runAxe = `(async () => {
	const found = await axe.run(document, {runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}})
	const list = results => results.flatMap(r => r.nodes.map(n => ({
		Rule: r.id, Impact: r.impact || "", Target: n.target.join(" "), Message: [...n.any, ...n.all, ...n.none].map(c => c.message).join("; "),
	})))
	return {Violations: list(found.violations), Incomplete: list(found.incomplete), Passed: found.passes.map(r => r.id)}
})()`

var axeSource struct {
	sync.Mutex
	text string
}

// NewAxe returns axe-core as pinned in js/package-lock.json. See NodeModules.
func NewAxe(t testing.TB) Axe {
	t.Helper()
	axeSource.Lock()
	defer axeSource.Unlock()
	if axeSource.text == "" {
		files, err := fs.Sub(jsFiles, "js")
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(NodeModules(t, files, false), "axe-core", "axe.min.js"))
		if err != nil {
			t.Fatal(err)
		}
		axeSource.text = string(text)
	}
	return Axe{axeSource.text}
}

// Run looks at the page of a browser. It works in a world of its own, beside the page's scripts:
// neither knows the other's variables, and the page's content security policy stays as it is.
func (a Axe) Run(ctx context.Context) (AxeReport, error) {
	tree, err := chromedp.Call(ctx, page.GetFrameTree, cdp.Empty{})
	if err != nil {
		return AxeReport{}, fmt.Errorf("find the page's frame: %w", err)
	}
	world, err := chromedp.Call(ctx, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{FrameID: tree.FrameTree.Frame.ID, WorldName: "axe"})
	if err != nil {
		return AxeReport{}, fmt.Errorf("make a world for axe-core: %w", err)
	}
	inWorld := func(p *runtime.EvaluateParams) { p.ContextID = world.ExecutionContextID }
	if err := chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](a.source, inWorld)); err != nil {
		return AxeReport{}, fmt.Errorf("load axe-core: %w", err)
	}
	report, err := chromedp.Run(ctx, chromedp.Evaluate[AxeReport](runAxe, inWorld, chromedp.EvalAwaitPromise))
	if err != nil {
		return AxeReport{}, fmt.Errorf("run axe-core: %w", err)
	}
	return report, nil
}

// String is one finding on one line.
func (f AxeFinding) String() string {
	return fmt.Sprintf("%s (%s) at %s: %s", f.Rule, f.Impact, f.Target, f.Message)
}

// AxeLines are findings, one a line.
func AxeLines(findings []AxeFinding) string {
	var lines strings.Builder
	for _, f := range findings {
		lines.WriteString("\n  " + f.String())
	}
	return lines.String()
}
