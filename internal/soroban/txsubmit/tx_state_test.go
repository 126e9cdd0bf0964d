package txsubmit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// wantTransitions has for each event the expected transition from each open state, as
// "next state/action". "." stays in the state; "-" cannot happen.
const wantTransitions = `
                     drafted         unknown         pending           bump drafted      bump pending      refused
send accepted      | pending/wait  | pending/wait  | ./wait          | bump pending/wait | ./wait        | -
send refused       | rejected/stop | refused/wait  | refused/wait    | pending/wait    | pending/wait    | -
send unreadable    | rejected/stop | refused/wait  | refused/wait    | refused/wait    | refused/wait    | -
send deferred      | ./wait        | ./wait        | ./wait          | ./wait          | ./wait          | -
send lost          | unknown/wait  | ./wait        | ./wait          | ./wait          | ./wait          | -
query succeeded    | confirmed/stop | confirmed/stop | confirmed/stop | confirmed/stop | confirmed/stop  | confirmed/stop
query failed       | failed/stop   | failed/stop   | failed/stop     | failed/stop     | failed/stop     | failed/stop
query not found    | ./send        | ./send        | ./check         | ./send          | ./check         | ./wait
query expired      | expired/stop  | expired/stop  | expired/stop    | expired/stop    | expired/stop    | expired/stop
query superseded   | -             | -             | -               | -               | -               | superseded/stop
query effect seen  | confirmed/stop | confirmed/stop | confirmed/stop | confirmed/stop | confirmed/stop  | confirmed/stop
query effect missing | failed/stop   | failed/stop   | failed/stop     | failed/stop     | failed/stop     | failed/stop
query lost         | ./send        | ./send        | ./check         | ./send          | ./check         | ./wait
wait over          | ./query       | ./query       | ./query         | ./query         | ./query         | ./query
wait idle          | -             | -             | ./check         | -               | ./check         | -
wait lost          | -             | -             | ./check         | -               | ./check         | ./wait
due bump           | -             | -             | ./bump          | -               | ./bump          | -
due resubmit       | -             | -             | ./send          | -               | ./send          | -
due nothing        | -             | -             | ./wait          | -               | ./wait          | -
bump stored        | -             | -             | bump drafted/send | -             | bump drafted/send | -
bump impossible    | -             | -             | ./check         | -               | ./check         | -
`

func TestTxState_Transitions(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(wantTransitions), "\n")[1:]
	if len(lines) != int(txEventCount) {
		t.Fatalf("%d events are described, there are %d", len(lines), txEventCount)
	}
	for event := range txEventCount {
		cells := strings.Split(lines[event], "|")
		if name := strings.TrimSpace(cells[0]); name != event.String() {
			t.Fatalf("line %d is of %q, want %q", event, name, event)
		}
		if len(cells)-1 != int(stateConfirmed) {
			t.Fatalf("%s: %d states are described", event, len(cells)-1)
		}
		for state := range txStateCount {
			want := "-" // In a final state nothing happens.
			if !state.final() {
				want = strings.TrimSpace(cells[1+state])
				if action, stays := strings.CutPrefix(want, "./"); stays {
					want = state.String() + "/" + action
				}
			}
			t.Run(fmt.Sprintf("%s/%s", state, event), func(t *testing.T) {
				t.Parallel()
				got, err := state.after(event)
				if want == "-" {
					if errs.KindOf(err) != errs.KindPermanent || transitions[state][event] != (transition{}) {
						t.Errorf("%s/%s, %v; it cannot happen", got.next, got.action, err)
					}
					return
				}
				if is := got.next.String() + "/" + got.action.String(); err != nil || is != want {
					t.Errorf("%s, %v; want %s", is, err, want)
				}
			})
		}
	}
}

// TestTxState_Rules checks the rules that the table must follow for all events.
func TestTxState_Rules(t *testing.T) {
	t.Parallel()
	each := func(f func(state txState, event txEvent, to transition)) {
		for state, row := range transitions {
			for event, to := range row {
				if to != (transition{}) {
					f(txState(state), txEvent(event), to)
				}
			}
		}
	}
	t.Run("StopsOnlyInFinalStates", func(t *testing.T) {
		t.Parallel()
		each(func(state txState, event txEvent, to transition) {
			if to.next.final() != (to.action == actStop) {
				t.Errorf("%s, %s: %s/%s", state, event, to.next, to.action)
			}
		})
	})
	t.Run("RejectionEndsOnlyUnacceptedTransactions", func(t *testing.T) {
		t.Parallel()
		each(func(state txState, event txEvent, to transition) {
			if to.next == stateRejected && state != stateDrafted {
				t.Errorf("%s, %s: %s", state, event, to.next)
			}
		})
	})
	t.Run("NothingLeadsBackToDrafted", func(t *testing.T) {
		t.Parallel()
		each(func(state txState, event txEvent, to transition) {
			if to.next == stateDrafted && state != stateDrafted {
				t.Errorf("%s, %s: %s", state, event, to.next)
			}
		})
	})
	t.Run("SendsNoRejectedTransaction", func(t *testing.T) {
		t.Parallel()
		each(func(state txState, event txEvent, to transition) {
			if to.next == stateRefused && to.action == actSend {
				t.Errorf("%s, %s: %s/%s", state, event, to.next, to.action)
			}
		})
	})
	t.Run("BumpsOnlyAcceptedTransactions", func(t *testing.T) {
		t.Parallel()
		each(func(state txState, event txEvent, to transition) {
			if to.action == actBump && state != statePending && state != stateBumpPending {
				t.Errorf("%s, %s: %s/%s", state, event, to.next, to.action)
			}
		})
	})
	t.Run("EachActionHasAnEntryForEachOfItsEvents", func(t *testing.T) {
		t.Parallel()
		events := map[txAction][]txEvent{
			actSend:  {sendAccepted, sendRefused, sendUnreadable, sendDeferred, sendLost},
			actQuery: {querySucceeded, queryFailed, queryNotFound, queryExpired, queryEffectSeen, queryEffectMissing, queryLost},
			actWait:  {waitOver},
			actCheck: {dueBump, dueResubmit, dueNothing},
			actBump:  {bumpStored, bumpImpossible},
		}
		follows := func(state txState, action txAction) {
			for _, event := range events[action] {
				if _, err := state.after(event); err != nil {
					t.Errorf("%s acts with %s: %v", state, action, err)
				}
			}
		}
		follows(stateDrafted, actSend)  // The state of a new transaction,
		follows(stateUnknown, actQuery) // and one that an earlier run left open.
		each(func(_ txState, _ txEvent, to transition) { follows(to.next, to.action) })
	})
	t.Run("EachOpenStateCanBeReachedAndLeft", func(t *testing.T) {
		t.Parallel()
		reached := map[txState]bool{stateDrafted: true, stateUnknown: true}
		ends := map[txState]bool{}
		for range txStateCount {
			each(func(state txState, _ txEvent, to transition) {
				reached[to.next] = reached[to.next] || reached[state]
				ends[state] = ends[state] || to.next.final() || ends[to.next]
			})
		}
		for state := range txStateCount {
			if !reached[state] || !state.final() && !ends[state] {
				t.Errorf("%s: reached %v, ends %v", state, reached[state], ends[state])
			}
		}
	})
}
