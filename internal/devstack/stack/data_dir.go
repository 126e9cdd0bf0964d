//go:build unix

package stack

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
)

const (
	lockFile    = "stack.lock"
	mailCAFile  = "mail-ca.pem"
	mailKeyFile = "mail-key.pem"
)

// lockDataDir creates the data directory and locks it, so that no two stacks write the
// same ledger. If PostgreSQL is a part, it does so.
func (s *Stack) lockDataDir(o Options) error {
	if o.DataDir == "" || slices.Contains(o.Parts, Postgres) {
		return nil
	}
	if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(o.DataDir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("%s is in use by another process; stop it, or choose another directory", o.DataDir), lock.Close())
	}
	s.lock = lock
	return nil
}

// mailTLS is the certificate of the mail catcher, which is its own authority.
type mailTLS struct {
	certificate  tls.Certificate
	host, caFile string
}

// openMailTLS reads the certificate in dir. It makes a new one, if there is none or it is for
// another host. A client that has read the authority can so go on when the stack restarts.
func openMailTLS(dir, host string) (*mailTLS, error) {
	m := &mailTLS{host: host, caFile: filepath.Join(dir, mailCAFile)}
	keyPath := filepath.Join(dir, mailKeyFile)
	var err error
	m.certificate, err = tls.LoadX509KeyPair(m.caFile, keyPath)
	switch {
	case err == nil && m.certificate.Leaf.VerifyHostname(host) == nil:
		return m, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if m.certificate, err = mailcatcher.NewCertificate([]string{host, "127.0.0.1"}); err != nil {
		return nil, err
	}
	private, ok := m.certificate.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("the key is of another kind than expected")
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// The authority last: without it, the pair is made again.
	for _, file := range []struct {
		path, kind string
		der        []byte
	}{{keyPath, "PRIVATE KEY", der}, {m.caFile, "CERTIFICATE", m.certificate.Certificate[0]}} {
		if err := replaceFile(file.path, func(f *os.File) error {
			return pem.Encode(f, &pem.Block{Type: file.kind, Bytes: file.der})
		}); err != nil {
			return nil, err
		}
	}
	return m, nil
}
