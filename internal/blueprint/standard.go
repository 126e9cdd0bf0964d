package blueprint

import (
	"embed"
	"fmt"
	"io/fs"
	"sync"
)

//go:embed standard
var standardFiles embed.FS

// standard parses the embedded blueprint once.
var standard = sync.OnceValues(func() (Blueprint, error) {
	files, err := fs.Sub(standardFiles, "standard")
	if err != nil {
		return Blueprint{}, err
	}
	b, err := parse(files, true)
	b.Privileges.Private = []string{auditHead}
	return b, err
})

// Standard returns the embedded blueprint: roles, users and audit logs, and the product's
// mails. The result is shared; it must not be changed.
//
// Its function audit_chain_ with the digest of the schema's name is the only SECURITY DEFINER of a
// tenant's schema. The tenant's role must not have EXECUTE on it, or a trigger of its own could write
// as the schemas' owner.
func Standard() Blueprint {
	b, err := standard()
	if err != nil {
		panic(fmt.Sprintf("the embedded blueprint is broken: %v", err)) // A test parses it.
	}
	return b
}
