package txsubmit

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// diagramArrow is a transition in ARCHITECTURE.md's diagram of transactions.
var diagramArrow = regexp.MustCompile(`(?m)^  (drafted|unknown|pending|bump_drafted|bump_pending|refused) --> (\w+)`)

// TestTxState_Diagram: the diagram has each change of state of the table, except those
// that every open state has.
func TestTxState_Diagram(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[string]bool{}
	for _, arrow := range diagramArrow.FindAllStringSubmatch(string(text), -1) {
		drawn[arrow[1]+" --> "+arrow[2]] = true
	}
	name := func(s txState) string { return strings.ReplaceAll(s.String(), " ", "_") }
	of := map[string]bool{}
	for state, row := range transitions {
		for _, next := range row {
			common := slices.Contains([]txState{stateConfirmed, stateFailed, stateExpired}, next.next)
			if next.action != actImpossible && next.next != txState(state) && !common {
				of[name(txState(state))+" --> "+name(next.next)] = true
			}
		}
	}
	if !maps.Equal(drawn, of) {
		t.Errorf("the diagram has\n%s\nthe table\n%s", strings.Join(slices.Sorted(maps.Keys(drawn)), "\n"), strings.Join(slices.Sorted(maps.Keys(of)), "\n"))
	}
}
