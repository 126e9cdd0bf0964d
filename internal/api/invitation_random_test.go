package api_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"
)

// TestServer_InvitationStatus_Random: after any sequence of operations, what a tenant says about its
// invitation is what its links say.
func TestServer_InvitationStatus_Random(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3, 4} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { setup(t).randomInvitations(seed) })
	}
}

func (b *testServer) randomInvitations(seed uint64) {
	b.t.Helper()
	b.clock.stop() // Limits begin again with each operation.
	id := as[string](b.createActive(clinic())["id"])
	path := "/admin/tenants/" + id
	r := rand.New(rand.NewPCG(seed, 20261127))
	emails, refused := 0, false
	pick := func() string {
		tokens := b.invitationTokens()
		return tokens[len(tokens)-1-r.IntN(min(3, len(tokens)))]
	}
	operations := map[string]func(){
		"invite": func() { b.do(http.MethodPost, path+"/invite", nil) },
		"accept": func() { b.accept(pick(), password) },
		"renew":  func() { b.invited("renew", map[string]any{"token": pick()}) },
		"expire": func() { b.registry.ExpireInvitations() },
		"other address": func() {
			emails++
			b.do(http.MethodPatch, path, map[string]any{"adminEmail": fmt.Sprintf("ada%d@clinic.example", emails)})
		},
		"password": func() { b.do(http.MethodPatch, path, map[string]any{"adminPassword": another}) },
		"name": func() {
			b.do(http.MethodPatch, path, map[string]any{"adminFirstName": fmt.Sprintf("Ada %d", r.IntN(9))})
		},
		"archive":   func() { b.do(http.MethodDelete, path, nil) },
		"unarchive": func() { b.do(http.MethodPost, path+"/unarchive", nil) },
		"mail server": func() {
			refused = !refused
			b.mail.RejectRecipients(451, "4.3.0 later", map[bool]int{true: -1}[refused])
		},
	}
	names := []string{"invite", "invite", "accept", "accept", "renew", "expire", "other address", "password", "name", "archive", "unarchive", "unarchive", "mail server"}
	var done []string
	seen := map[string]int{}
	for range 60 {
		name := names[r.IntN(len(names))]
		done = append(done, name)
		b.clock.advance(7 * time.Second)
		operations[name]()
		shown := b.invitation(id)
		status, unsent := as[string](shown["status"]), shown["sentAt"] == nil
		seen[status]++
		links := map[string]int{}
		tokens := b.invitationTokens()
		for _, token := range tokens[max(0, len(tokens)-3):] {
			b.clock.advance(7 * time.Second)
			links[b.inspect(token).want(http.StatusOK).str("status")]++
		}
		fits := false
		switch status {
		case "PENDING": // A link that was not mailed yet is not among them.
			fits = links["PENDING"] > 0 || unsent
		case "EXPIRED":
			fits = links["PENDING"] == 0 && (links["EXPIRED"] > 0 || unsent)
		case "ACCEPTED":
			fits = links["PENDING"]+links["EXPIRED"] == 0 && links["ACCEPTED"] > 0
		case "REVOKED":
			fits = links["PENDING"]+links["EXPIRED"] == 0
		}
		if !fits {
			b.t.Fatalf("the tenant says %s, its links %v, after %q", status, links, done)
		}
	}
	if len(seen) < 3 {
		b.t.Errorf("the statuses were %v", seen)
	}
}
