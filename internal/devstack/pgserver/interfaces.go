//go:build unix

package pgserver

import (
	"fmt"
	"os"
	"path/filepath"
)

// openAccess lets every address connect with a password. The file that initdb writes has
// only this machine.
const openAccess = "host all all all scram-sha-256\n"

// listenSettings are the server's arguments for its interfaces.
func (s *Server) listenSettings() ([]string, error) {
	if !s.options.AllInterfaces {
		return []string{"-c", "listen_addresses=127.0.0.1"}, nil
	}
	path := filepath.Join(s.dir, "access.conf")
	if err := os.WriteFile(path, []byte(openAccess), 0o600); err != nil {
		return nil, fmt.Errorf("write the server's access file: %w", err)
	}
	if err := s.account.chown(path); err != nil {
		return nil, fmt.Errorf("hand over the server's access file: %w", err)
	}
	return []string{"-c", "listen_addresses=0.0.0.0", "-c", "hba_file=" + path}, nil
}
