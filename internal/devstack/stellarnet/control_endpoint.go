package stellarnet

import (
	"fmt"
	"net/http"
	"strconv"
)

// serveClose closes ledgers on demand: POST /control/close?ledgers=N, default 1. The
// response is {"ledger": the last one} or {"error": the reason}.
func (n *Network) serveClose(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		writeControlError(w, http.StatusMethodNotAllowed, fmt.Errorf("%s does not close a ledger: use POST", r.Method))
		return
	}
	count := uint64(1)
	if text := r.FormValue("ledgers"); text != "" {
		var err error
		if count, err = strconv.ParseUint(text, 10, 32); err != nil || count == 0 {
			writeControlError(w, http.StatusBadRequest,
				fmt.Errorf("ledgers: %q is not a number of ledgers: use 1 or more", text))
			return
		}
	}
	if maxLedgers := n.maxClosableLedgers(); count > uint64(maxLedgers) {
		writeControlError(w, http.StatusBadRequest, fmt.Errorf("ledgers: %d is too many: use at most %d", count, maxLedgers))
		return
	}
	seq, err := n.CloseLedgers(r.Context(), uint32(count))
	if err != nil {
		n.log.Error("ledgers did not close", "count", count, "error", err)
		writeControlError(w, http.StatusInternalServerError, err)
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Ledger uint32 `json:"ledger"`
	}{seq})
}

func writeControlError(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, struct {
		Error string `json:"error"`
	}{err.Error()})
}
