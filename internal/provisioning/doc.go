// Package provisioning is the heart of the product: it turns a request for a
// healthcare tenant into a live one and back into an archived one.
//
// A tenant passes seven steps (see tenant.Steps). Pipeline.Run takes it through them:
// it claims the tenant under a lease, reads in the registry which steps are completed,
// continues at the first unfinished step and finishes, or rolls back. No progress is
// kept in the process, so a run may die at any point; the next one continues. Every
// write of a run carries the epoch of its claim: the registry refuses the writes of a
// run that was superseded (a paused process, a partition), and the run stops. Two runs
// of one tenant can overlap in time but never in effect.
//
// The package knows no SQL, HTTP, XDR or Terraform. ports.go has the interfaces that it
// calls; packages postgres, soroban and mail implement them, and package app connects
// them.
//
// What it does not promise: that an outside effect happens exactly once. A
// welcome mail can arrive twice (with the same Message-ID) when a process dies
// between the server's answer and the registry's record of it. A contract
// cannot: its address is known beforehand and looked up before anything is sent.
package provisioning
