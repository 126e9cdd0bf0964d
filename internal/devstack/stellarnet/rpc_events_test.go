package stellarnet_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/creachadair/jrpc2"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

// emitEvents deploys a contract and changes its status twice; it returns the
// ledgers of the two changes.
func (b *fixture) emitEvents() (id xdr.ContractId, first, second protocol.GetTransactionResponse) {
	b.t.Helper()
	id = b.deploy(1)
	for i, got := range []*protocol.GetTransactionResponse{&first, &second} {
		status := xdr.Uint32([]uint32{contract.StatusArchived, contract.StatusActive}[i])
		*got = b.runSoroban(b.call(id, "set_status", xdr.ScVal{Type: xdr.ScValTypeScvU32, U32: &status}), nil)
		b.wantSuccess(*got)
	}
	return id, first, second
}

func (b *fixture) events(q protocol.GetEventsRequest) protocol.GetEventsResponse {
	b.t.Helper()
	got, err := b.client.GetEvents(b.ctx, q)
	b.must(err)
	return got
}

func formatTopics(segments ...any) protocol.TopicFilter {
	out := make(protocol.TopicFilter, len(segments))
	for i, segment := range segments {
		switch s := segment.(type) {
		case string:
			out[i].Wildcard = &s
		case xdr.ScVal:
			out[i].ScVal = &s
		}
	}
	return out
}

func symbol(s string) xdr.ScVal {
	sym := xdr.ScSymbol(s)
	return xdr.ScVal{Type: xdr.ScValTypeScvSymbol, Sym: &sym}
}

func TestRPC_GetEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id, first, second := b.emitEvents()
	own := []protocol.EventFilter{{ContractIDs: []string{contractAddress(id)}}}
	all := b.events(protocol.GetEventsRequest{StartLedger: first.Ledger})

	t.Run("ByContract", func(t *testing.T) {
		b := b.withT(t)
		got := b.events(protocol.GetEventsRequest{StartLedger: first.Ledger, Filters: own})
		if len(got.Events) != 2 || got.LatestLedger != second.Ledger || got.OldestLedger != 1 || got.LatestLedgerCloseTime == 0 || got.OldestLedgerCloseTime == 0 {
			t.Fatalf("got %+v", got)
		}
		for i, tx := range []protocol.GetTransactionResponse{first, second} {
			e := got.Events[i]
			if e.EventType != "contract" || e.Ledger != int32(tx.Ledger) || e.TransactionHash != tx.TransactionHash || e.ContractID != contractAddress(id) ||
				!e.InSuccessfulContractCall || //nolint:staticcheck // deprecated, and still there
				e.TxIndex != 1 || e.OpIndex != 0 || e.LedgerClosedAt != "2026-09-21T14:13:20Z" {
				t.Errorf("event %d: %+v", i, e)
			}
			if want := (protocol.Cursor{Ledger: tx.Ledger, Tx: 1}).String(); e.ID != want {
				t.Errorf("event %d is called %s, want %s", i, e.ID, want)
			}
			event := b.meta(tx).Operations[0].Events[0].Body.MustV0()
			value, err := xdr.MarshalBase64(event.Data)
			b.must(err)
			if e.ValueXDR != value || len(e.TopicXDR) != len(event.Topics) {
				t.Errorf("event %d: %+v", i, e)
			}
		}
	})

	t.Run("FeeAndRefundEvents", func(t *testing.T) {
		b := b.withT(t)
		got := b.events(protocol.GetEventsRequest{
			StartLedger: first.Ledger, EndLedger: first.Ledger + 1,
			Filters: []protocol.EventFilter{{Topics: []protocol.TopicFilter{formatTopics(symbol("fee"), "**")}}},
		})
		taken, given := protocol.Cursor{Ledger: first.Ledger}, protocol.Cursor{Ledger: first.Ledger, Tx: 1<<20 - 1}
		if len(got.Events) != 2 || got.Events[0].ID != taken.String() || got.Events[1].ID != given.String() {
			t.Errorf("got %+v", got.Events)
		}
	})

	t.Run("InOrder", func(t *testing.T) {
		last := ""
		for _, e := range all.Events {
			if e.ID <= last {
				t.Errorf("%s after %s", e.ID, last)
			}
			last = e.ID
		}
		if len(all.Events) != 6 {
			t.Errorf("%d events, want 6", len(all.Events))
		}
	})

	t.Run("PageByPage", func(t *testing.T) {
		b := b.withT(t)
		q := protocol.GetEventsRequest{StartLedger: first.Ledger, Pagination: &protocol.PaginationOptions{Limit: 4}}
		head := b.events(q)
		cursor, err := protocol.ParseCursor(head.Cursor)
		b.must(err)
		remaining := b.events(protocol.GetEventsRequest{Pagination: &protocol.PaginationOptions{Cursor: &cursor, Limit: 4}})
		if fmt.Sprint(append(head.Events, remaining.Events...)) != fmt.Sprint(all.Events) || head.Cursor != head.Events[3].ID {
			t.Errorf("pages differ: %+v, %+v", head, remaining)
		}
		end := protocol.MaxCursor
		end.Ledger = second.Ledger
		if remaining.Cursor != end.String() {
			t.Errorf("the last page ends at %s", remaining.Cursor)
		}
	})

	t.Run("Topics", func(t *testing.T) {
		b := b.withT(t)
		var topics []xdr.ScVal
		for _, encoded := range all.Events[1].TopicXDR {
			var v xdr.ScVal
			b.must(xdr.SafeUnmarshalBase64(encoded, &v))
			topics = append(topics, v)
		}
		var stars []any
		for range topics {
			stars = append(stars, "*")
		}
		for name, c := range map[string]struct {
			filter protocol.TopicFilter
			want   int
		}{
			"AnyOfThatLength": {formatTopics(stars...), 2},
			"OneTooMany":      {formatTopics(append(stars, "*")...), 0},
			"FirstAndRest":    {formatTopics(topics[0], "**"), 2},
			"Other":           {formatTopics(symbol("nothing"), "**"), 0},
		} {
			got := b.events(protocol.GetEventsRequest{StartLedger: first.Ledger, Filters: []protocol.EventFilter{
				{ContractIDs: own[0].ContractIDs, Topics: []protocol.TopicFilter{c.filter}},
			}})
			if len(got.Events) != c.want {
				t.Errorf("%s: %d events, want %d", name, len(got.Events), c.want)
			}
		}
	})

	t.Run("Types", func(t *testing.T) {
		b := b.withT(t)
		for kinds, want := range map[string]int{"contract": 6, "system": 0, "contract,system": 6} {
			set := protocol.EventTypeSet{}
			for kind := range strings.SplitSeq(kinds, ",") {
				set[kind] = nil
			}
			got := b.events(protocol.GetEventsRequest{StartLedger: first.Ledger, Filters: []protocol.EventFilter{{EventType: set}}})
			if len(got.Events) != want {
				t.Errorf("%s: %d events, want %d", kinds, len(got.Events), want)
			}
		}
	})

	t.Run("Refuses", func(t *testing.T) { refusesEvents(b.withT(t), second.Ledger) })
}

func refusesEvents(b *fixture, latest uint32) {
	b.t.Helper()
	ask := func(q protocol.GetEventsRequest) error {
		_, err := b.client.GetEvents(b.ctx, q)
		return err
	}
	b.wantRPCError(ask(protocol.GetEventsRequest{}), jrpc2.InvalidParams, "startLedger must be positive")
	b.wantRPCError(ask(protocol.GetEventsRequest{StartLedger: latest + 1}), jrpc2.InvalidRequest,
		fmt.Sprintf("startLedger must be within the ledger range: 1 - %d", latest))
	b.wantRPCError(ask(protocol.GetEventsRequest{StartLedger: 1, Pagination: &protocol.PaginationOptions{Limit: 10001}}),
		jrpc2.InvalidParams, "limit must not exceed 10000")
	b.wantRPCError(ask(protocol.GetEventsRequest{StartLedger: 1, Pagination: &protocol.PaginationOptions{Cursor: &protocol.MinCursor}}),
		jrpc2.InvalidParams, "ledger ranges and cursor cannot both be set")
	b.wantRPCError(ask(protocol.GetEventsRequest{StartLedger: 1, Filters: make([]protocol.EventFilter, 6)}),
		jrpc2.InvalidParams, "maximum 5 filters per request")
	for _, c := range []struct {
		filter protocol.EventFilter
		says   string
	}{
		{protocol.EventFilter{EventType: protocol.EventTypeSet{"diagnostic": nil}}, "if set, type must be either 'system' or 'contract'"},
		{protocol.EventFilter{ContractIDs: make([]string, 6)}, "maximum 5 contract IDs per filter"},
		{protocol.EventFilter{ContractIDs: []string{"C"}}, "contract ID 1 invalid"},
		{protocol.EventFilter{Topics: make([]protocol.TopicFilter, 6)}, "maximum 5 topics per filter"},
		{protocol.EventFilter{Topics: []protocol.TopicFilter{formatTopics("*", "*", "*", "*", "*")}}, "topic cannot have more than 4 segments"},
		{protocol.EventFilter{Topics: []protocol.TopicFilter{formatTopics("**", "*")}}, "wildcard '**' is only allowed as the last segment"},
	} {
		err := ask(protocol.GetEventsRequest{StartLedger: 1, Filters: []protocol.EventFilter{c.filter}})
		b.wantRPCError(err, jrpc2.InvalidParams, "filter 1 invalid: ")
		b.wantRPCError(err, jrpc2.InvalidParams, c.says)
	}
	b.wantRPCError(ask(protocol.GetEventsRequest{StartLedger: 1, Format: "yaml"}), jrpc2.InvalidParams, "xdrFormat")
}
