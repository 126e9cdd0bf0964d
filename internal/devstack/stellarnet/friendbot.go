package stellarnet

import (
	"encoding/json"
	"errors"
	"net/http"
)

// friendbotGrant is the amount that public friendbots pay.
const friendbotGrant = 10_000 * stroopsPerXLM

// problem is an error in the format of Horizon and friendbot.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// grantResponse has the fields of friendbot's response that clients use: the JavaScript
// SDK finds the new account in the meta, others query the hash.
type grantResponse struct {
	Successful bool   `json:"successful"`
	ID         string `json:"id"`
	Hash       string `json:"hash"`
	Ledger     uint32 `json:"ledger"`
	Envelope   string `json:"envelope_xdr"`
	Result     string `json:"result_xdr"`
	ResultMeta string `json:"result_meta_xdr"`
}

// serveFriendbot creates an account, in a ledger that closes immediately. It accepts GET
// and POST, because clients use either.
func (n *Network) serveFriendbot(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		writeProblem(w, http.StatusMethodNotAllowed, "method_not_allowed", "Method Not Allowed", "use GET or POST")
		return
	}
	a, err := n.fund(r.Context(), r.FormValue("addr"), friendbotGrant, true)
	switch {
	case errors.Is(err, errAlreadyFunded), errors.Is(err, errInvalidAddress):
		writeProblem(w, http.StatusBadRequest, "bad_request", "Bad Request", err.Error())
		return
	case err != nil:
		n.log.Error("friendbot failed", "error", err)
		writeProblem(w, http.StatusInternalServerError, "server_error", "Internal Server Error", "")
		return
	}
	writeJSON(w, http.StatusOK, grantResponse{
		Successful: true,
		ID:         a.tx.hash.HexString(),
		Hash:       a.tx.hash.HexString(),
		Ledger:     a.seq,
		Envelope:   encode(a.tx.envelope),
		Result:     encode(a.result),
		ResultMeta: encode(a.meta),
	})
}

func writeProblem(w http.ResponseWriter, status int, kind, title, detail string) {
	writeJSON(w, status, problem{
		Type: "https://stellar.org/horizon-errors/" + kind, Title: title, Status: status, Detail: detail,
	})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// Only the connection can fail here, and then no client reads the response.
	_ = json.NewEncoder(w).Encode(body) //nolint:errchkjson // see above
}
