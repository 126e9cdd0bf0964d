// Package provisioning creates, changes, archives, unarchives and purges tenants.
//
// Provisioning has seven steps (see tenant.Steps). Pipeline.Run claims the tenant under a
// lease, reads from the registry which steps are completed, continues with the first
// unfinished step and completes the tenant, or rolls it back. The process keeps no
// progress, so it may die at any point and the next run continues. Every write of a run
// carries the epoch of its claim: the registry refuses writes of a superseded run (a
// paused process, a partition), and that run stops. Two runs of one tenant can overlap in
// time but never in effect.
//
// Where to start reading: Service (service.go, admin.go) is the entry point of all
// callers. Pipeline (pipeline.go) runs the steps: execution.go has the loop, the
// heartbeat and the handling of errors, steps.go the steps, rollback.go the rollback.
// Reconciler (reconciler.go) finishes what dead processes left unfinished.
//
// The package knows no SQL, HTTP, XDR or Terraform. ports.go has the interfaces that it
// calls; packages postgres, soroban and mail implement them, and package app connects
// them.
//
// Effects outside the registry are not all exactly-once. A welcome mail can arrive twice
// (with the same Message-ID) when a process dies after the mail server accepted it and
// before the registry recorded that. A contract is created once: its address is computed
// beforehand and read from the ledger before a transaction is submitted.
package provisioning
