//go:build unix

package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
)

// The files of the Stellar network in a DataDir.
const (
	snapshotFile = "ledger.snapshot"
	deployerFile = "deployer.key"
)

const (
	// saveCheckInterval is how often the ledger is checked for changes. It limits what a
	// killed stack loses.
	saveCheckInterval = 250 * time.Millisecond
	// maxSaveInterval is how often the ledger is saved when only time passes.
	maxSaveInterval = time.Minute
	// saveCostFactor is how many times longer than a save the pause after it is, so that
	// a big ledger is not saved all the time.
	saveCostFactor = 10
)

// snapshotSaver saves the ledger in a directory, so that it matches the registry after a
// restart.
type snapshotSaver struct {
	dir      string
	network  *stellarnet.Network
	errorLog io.Writer // Of failed saves.
	stop     context.CancelFunc
	stopped  sync.WaitGroup
}

// readLedger reads the files of an earlier stack: the snapshot, or nil if there is none,
// and the deployer, or a new random one.
func readLedger(dir string) (snapshot []byte, deployer *keypair.Full, err error) {
	snapshot, err = os.ReadFile(filepath.Join(dir, snapshotFile)) //nolint:gosec // G304: a file of the folder that devstack's user names
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	path := filepath.Join(dir, deployerFile)
	seed, err := os.ReadFile(path) //nolint:gosec // G304: a file of the folder that devstack's user names
	switch {
	case err == nil:
		if deployer, err = keypair.ParseFull(string(bytes.TrimSpace(seed))); err != nil {
			return nil, nil, fmt.Errorf("%s has no secret key of an account: %w", path, err)
		}
		return snapshot, deployer, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, nil, err
	case snapshot != nil:
		return nil, nil, fmt.Errorf("%s is missing: restore it, or remove %s to start a new ledger", path, snapshotFile)
	}
	if deployer, err = keypair.Random(); err != nil {
		return nil, nil, fmt.Errorf("generate the deployer's key: %w", err)
	}
	return nil, deployer, nil
}

// startSnapshotSaver saves the deployer and the ledger immediately, and then the ledger
// whenever it has changed. The caller must hold the lock on the directory.
func startSnapshotSaver(ctx context.Context, dir string, s *Stack, errorLog io.Writer) (*snapshotSaver, error) {
	if errorLog == nil {
		errorLog = os.Stderr
	}
	k := &snapshotSaver{dir: dir, network: s.Stellar, errorLog: errorLog}
	err := replaceFile(filepath.Join(dir, deployerFile), func(f *os.File) error {
		_, err := f.WriteString(s.Deployer.Seed() + "\n")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("save the deployer's key: %w", err)
	}
	if err := k.save(ctx); err != nil {
		return nil, err
	}
	background, stop := context.WithCancel(context.Background())
	k.stop = stop
	k.stopped.Go(func() { k.run(background, s.Stellar.LastChange()) })
	return k, nil
}

func (k *snapshotSaver) run(ctx context.Context, savedLedger uint32) {
	ticker := time.NewTicker(saveCheckInterval)
	defer ticker.Stop()
	lastSave, minInterval := time.Now(), time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		changed, sinceSave := k.network.LastChange(), time.Since(lastSave)
		if sinceSave < minInterval || changed == savedLedger && sinceSave < maxSaveInterval {
			continue
		}
		started := time.Now()
		if err := k.save(ctx); err != nil && ctx.Err() == nil {
			_, _ = fmt.Fprintln(k.errorLog, err) // The output may be closed.
		}
		savedLedger, lastSave, minInterval = changed, time.Now(), saveCostFactor*time.Since(started)
	}
}

// close saves the last changes; the network has stopped by then.
func (k *snapshotSaver) close() error {
	k.stop()
	k.stopped.Wait()
	return k.save(context.Background())
}

func (k *snapshotSaver) save(ctx context.Context) error {
	path := filepath.Join(k.dir, snapshotFile)
	if err := replaceFile(path, func(f *os.File) error { return k.network.Save(ctx, f) }); err != nil {
		return fmt.Errorf("save the ledger: %w", err)
	}
	return nil
}

// replaceFile writes a file that only its owner can read, completely or not at all. No
// other process writes it: the directory is locked.
func replaceFile(path string, write func(*os.File) error) (err error) {
	temporary := path + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // G304: a file of the folder that devstack's user names
	if err != nil {
		return err
	}
	if err = f.Chmod(0o600); err == nil { // The file of a killed stack may have another mode.
		err = write(f)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename durable across a power failure.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // G304: the folder that devstack's user names
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
