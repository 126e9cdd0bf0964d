// Package provisioning is the heart of the product: it turns a request for a
// healthcare tenant into a live one and back into an archived one.
//
// A tenant passes seven steps (see Steps). Pipeline.Run takes it through them:
// it claims the tenant under a lease, reads in the registry where the tenant
// stands, continues at the first unfinished step and finishes, or rolls back.
// No progress lives in the process, so a run may die at any point; the next one
// goes on. Every write of a run carries the epoch of its claim: a run that was
// overtaken (a paused process, a partition) is refused by the registry and
// stops. Two runs of one tenant can overlap in time but never in effect.
//
// The package knows no SQL, HTTP, XDR or Terraform. What it needs from outside
// it asks for through the interfaces in ports.go; packages postgres, soroban and
// mail implement them. Besides the standard library it imports a UUID and the
// Unicode normal forms, which the rules for names are written in.
//
// What it does not promise: that an outside effect happens exactly once. A
// welcome mail can arrive twice (with the same Message-ID) when a process dies
// between the server's answer and the registry's record of it. A contract
// cannot: its address is known beforehand and looked up before anything is sent.
package provisioning
