// Package demo shows one tenant's life to a person, on this machine alone: it
// builds the provider, starts the development stack, applies
// examples/quickstart with a real terraform or tofu CLI, shows what came of it
// in the database, on the ledger and in the mail, plans again, destroys, and
// shows what is kept.
//
// It is no film: each thing that it shows was read from where it is stored, and
// what is not as it should be ends the demo with an error. It leaves nothing
// behind, however it ends.
package demo
