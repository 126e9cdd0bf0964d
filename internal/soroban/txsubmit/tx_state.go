package txsubmit

import (
	"fmt"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// txState is the known state of a stored transaction.
type txState int

const (
	// stateDrafted: it is stored. No send of it can have been accepted.
	stateDrafted txState = iota
	// stateUnknown: a send may have been accepted. The response was lost, or an earlier
	// run sent it.
	stateUnknown
	// statePending: the network has accepted it and not applied it yet.
	statePending
	// stateBumpDrafted: it was accepted, and a fee bump of it is stored but not
	// accepted.
	stateBumpDrafted
	// stateBumpPending: the network has accepted the fee bump.
	stateBumpPending
	// stateRefused: the network rejects it, but may have accepted it before.
	stateRefused

	// The final states. Nothing is sent in them.

	stateConfirmed  // It is in a ledger, successful.
	stateFailed     // It is in a ledger, failed, and its fee is charged.
	stateRejected   // The network rejected it, and never accepted it.
	stateExpired    // It was not applied before the end of its validity.
	stateSuperseded // Another transaction used its sequence number.

	txStateCount
)

// final reports whether the result is known.
func (s txState) final() bool { return s >= stateConfirmed }

func (s txState) String() string {
	return [txStateCount]string{
		"drafted", "unknown", "pending", "bump drafted", "bump pending", "refused",
		"confirmed", "failed", "rejected", "expired", "superseded",
	}[s]
}

// txEvent is the outcome of a txTracker's last action.
type txEvent int

const (
	// The responses of sendTransaction.

	sendAccepted   txEvent = iota // PENDING or DUPLICATE.
	sendRefused                   // ERROR, with a result code.
	sendUnreadable                // The server cannot decode the transaction.
	sendDeferred                  // TRY_AGAIN_LATER: the queue is full, or holds another one of the account.
	sendLost                      // No usable response: the server may have accepted it.

	// The responses of getTransaction. When the server no longer has the record, the
	// ledger's entries are read.

	querySucceeded     // SUCCESS.
	queryFailed        // FAILED.
	queryNotFound      // NOT_FOUND, and it may still be applied.
	queryExpired       // Not applied, and its validity has ended.
	querySuperseded    // Not applied, and its sequence number is used.
	queryEffectSeen    // Its record is gone, and the ledger shows its effect.
	queryEffectMissing // Its record is gone, its number is used, and the ledger does not show its effect.
	queryLost          // No usable response.

	// The outcomes of a pause.

	waitOver // It is time to query the transaction.
	waitIdle // Nothing new.
	waitLost // The source account could not be read.

	// What an accepted but not yet applied transaction needs.

	dueBump     // A fee bump.
	dueResubmit // The network may have dropped it.
	dueNothing

	// The outcomes of a fee bump.

	bumpStored
	bumpImpossible // The ceiling allows no higher bid.

	txEventCount
)

func (e txEvent) String() string {
	return [txEventCount]string{
		"send accepted", "send refused", "send unreadable", "send deferred", "send lost",
		"query succeeded", "query failed", "query not found", "query expired", "query superseded",
		"query effect seen", "query effect missing", "query lost",
		"wait over", "wait idle", "wait lost", "due bump", "due resubmit", "due nothing", "bump stored", "bump impossible",
	}[e]
}

// txAction is the next action of a txTracker.
type txAction int

const (
	actImpossible txAction = iota // The event cannot happen in that state.
	actSend                       // Send the stored envelope.
	actWait                       // Pause, then see whether a query is due.
	actQuery                      // Query the transaction.
	actCheck                      // Decide whether an accepted transaction needs something.
	actBump                       // Store a fee bump.
	actStop                       // The result is known.
)

func (a txAction) String() string {
	return [...]string{"impossible", "send", "wait", "query", "check", "bump", "stop"}[a]
}

// transition is an entry of the table; the zero value is of a pair that cannot happen.
type transition struct {
	next   txState
	action txAction
}

// after returns the transition for an event. It returns an error for an event that
// cannot happen: a defect of this program, which leaves the result unknown.
func (s txState) after(e txEvent) (transition, error) {
	t := transitions[s][e]
	if t.action == actImpossible {
		return t, errs.Wrap(fmt.Errorf("event %q in state %q", e, s), errs.KindPermanent, "track transaction",
			"a transaction reached a state that is not possible; the log has the details")
	}
	return t, nil
}

// transitions are the rules:
//   - Only a rejection in stateDrafted is final: in every other state the transaction
//     may have been accepted before, and an applied one gets txBAD_SEQ.
//   - The same bytes are sent again until the network accepts them. After a rejection
//     nothing is sent.
//   - A rejected fee bump leads back to the transaction without it, which may still be
//     queued at the network.
//   - What is not in the table cannot happen: after a send that was not accepted each
//     pause ends with a query, nothing is due while a fee bump waits to be accepted, and
//     nothing happens in a final state.
var transitions = withOutcomes([txStateCount][txEventCount]transition{
	stateDrafted: {
		sendAccepted:   {statePending, actWait},
		sendRefused:    {stateRejected, actStop},
		sendUnreadable: {stateRejected, actStop},
		sendDeferred:   {stateDrafted, actWait},
		sendLost:       {stateUnknown, actWait},
		queryNotFound:  {stateDrafted, actSend},
		queryLost:      {stateDrafted, actSend},
		waitOver:       {stateDrafted, actQuery},
	},
	stateUnknown: {
		sendAccepted:   {statePending, actWait},
		sendRefused:    {stateRefused, actWait},
		sendUnreadable: {stateRefused, actWait},
		sendDeferred:   {stateUnknown, actWait},
		sendLost:       {stateUnknown, actWait},
		queryNotFound:  {stateUnknown, actSend},
		queryLost:      {stateUnknown, actSend},
		waitOver:       {stateUnknown, actQuery},
	},
	statePending: {
		sendAccepted:   {statePending, actWait},
		sendRefused:    {stateRefused, actWait},
		sendUnreadable: {stateRefused, actWait},
		sendDeferred:   {statePending, actWait},
		sendLost:       {statePending, actWait},
		queryNotFound:  {statePending, actCheck},
		queryLost:      {statePending, actCheck},
		waitOver:       {statePending, actQuery},
		waitIdle:       {statePending, actCheck},
		waitLost:       {statePending, actCheck},
		dueBump:        {statePending, actBump},
		dueResubmit:    {statePending, actSend},
		dueNothing:     {statePending, actWait},
		bumpStored:     {stateBumpDrafted, actSend},
		bumpImpossible: {statePending, actCheck},
	},
	stateBumpDrafted: {
		sendAccepted:   {stateBumpPending, actWait},
		sendRefused:    {statePending, actWait}, // Without the fee bump, as it was accepted.
		sendUnreadable: {stateRefused, actWait},
		sendDeferred:   {stateBumpDrafted, actWait},
		sendLost:       {stateBumpDrafted, actWait},
		queryNotFound:  {stateBumpDrafted, actSend},
		queryLost:      {stateBumpDrafted, actSend},
		waitOver:       {stateBumpDrafted, actQuery},
	},
	stateBumpPending: {
		sendAccepted:   {stateBumpPending, actWait},
		sendRefused:    {statePending, actWait},
		sendUnreadable: {stateRefused, actWait},
		sendDeferred:   {stateBumpPending, actWait},
		sendLost:       {stateBumpPending, actWait},
		queryNotFound:  {stateBumpPending, actCheck},
		queryLost:      {stateBumpPending, actCheck},
		waitOver:       {stateBumpPending, actQuery},
		waitIdle:       {stateBumpPending, actCheck},
		waitLost:       {stateBumpPending, actCheck},
		dueBump:        {stateBumpPending, actBump},
		dueResubmit:    {stateBumpPending, actSend},
		dueNothing:     {stateBumpPending, actWait},
		bumpStored:     {stateBumpDrafted, actSend},
		bumpImpossible: {stateBumpPending, actCheck},
	},
	stateRefused: {
		queryNotFound:   {stateRefused, actWait},
		querySuperseded: {stateSuperseded, actStop},
		queryLost:       {stateRefused, actWait},
		waitOver:        {stateRefused, actQuery},
		waitLost:        {stateRefused, actWait},
	},
})

// withOutcomes adds the queries that show the result; they end every open state.
func withOutcomes(table [txStateCount][txEventCount]transition) [txStateCount][txEventCount]transition {
	for state := range stateConfirmed {
		row := &table[state]
		row[querySucceeded] = transition{stateConfirmed, actStop}
		row[queryFailed] = transition{stateFailed, actStop}
		row[queryExpired] = transition{stateExpired, actStop}
		row[queryEffectSeen] = transition{stateConfirmed, actStop}
		row[queryEffectMissing] = transition{stateFailed, actStop}
	}
	return table
}
