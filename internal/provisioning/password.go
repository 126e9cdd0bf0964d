package provisioning

// Password is a secret that nothing prints.
type Password string

// Reveal gives the secret itself.
func (p Password) Reveal() string { return string(p) }

// String keeps the secret out of logs.
func (Password) String() string { return "[password]" }

// GoString keeps the secret out of %#v.
func (Password) GoString() string { return "[password]" }
