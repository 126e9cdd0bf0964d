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

// What a DataDir keeps of the Stellar network, beside PostgreSQL's own.
const (
	snapshotFile = "ledger.snapshot"
	deployerFile = "deployer.key"
)

const (
	// saveCheckInterval is how often a change of the ledger is looked for. It bounds what a
	// killed stack loses.
	saveCheckInterval = 250 * time.Millisecond
	// maxSaveInterval is how often the ledger is saved when only time passes.
	maxSaveInterval = time.Minute
	// saveCostFactor is how much longer than a save takes the next one waits, so that a
	// big ledger is not saved all the time.
	saveCostFactor = 10
)

// snapshotSaver keeps the ledger in a directory, so that it still fits the registry
// after a restart.
type snapshotSaver struct {
	dir      string
	network  *stellarnet.Network
	errorLog io.Writer // Of saves that fail.
	stop     context.CancelFunc
	stopped  sync.WaitGroup
}

// readLedger returns what an earlier stack left: the snapshot, nil where there is
// none, and the deployer, drawn where there is none.
func readLedger(dir string) (snapshot []byte, deployer *keypair.Full, err error) {
	snapshot, err = os.ReadFile(filepath.Join(dir, snapshotFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	path := filepath.Join(dir, deployerFile)
	seed, err := os.ReadFile(path)
	switch {
	case err == nil:
		if deployer, err = keypair.ParseFull(string(bytes.TrimSpace(seed))); err != nil {
			return nil, nil, fmt.Errorf("%s holds no secret key of an account: %w", path, err)
		}
		return snapshot, deployer, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, nil, err
	case snapshot != nil:
		return nil, nil, fmt.Errorf("%s is missing: bring it back, or remove %s to begin a new ledger", path, snapshotFile)
	}
	if deployer, err = keypair.Random(); err != nil {
		return nil, nil, fmt.Errorf("draw the deployer's key: %w", err)
	}
	return nil, deployer, nil
}

// startSnapshotSaver saves the deployer and the ledger at once, and the ledger from then on
// whenever it has changed. The directory has to be ours alone by now.
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
		return nil, fmt.Errorf("keep the deployer's key: %w", err)
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
			_, _ = fmt.Fprintln(k.errorLog, err) // Nobody may be reading.
		}
		savedLedger, lastSave, minInterval = changed, time.Now(), saveCostFactor*time.Since(started)
	}
}

// close saves once more what has come since; the network has stopped by then.
func (k *snapshotSaver) close() error {
	k.stop()
	k.stopped.Wait()
	return k.save(context.Background())
}

func (k *snapshotSaver) save(ctx context.Context) error {
	path := filepath.Join(k.dir, snapshotFile)
	if err := replaceFile(path, func(f *os.File) error { return k.network.Save(ctx, f) }); err != nil {
		return fmt.Errorf("keep the ledger: %w", err)
	}
	return nil
}

// replaceFile writes a file that only its owner can read, whole or not at all. A
// file of another process is out of the question: the directory is locked.
func replaceFile(path string, write func(*os.File) error) (err error) {
	temporary := path + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err = f.Chmod(0o600); err == nil { // One that a killed stack left may have another mode.
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

// syncDir makes a rename last beyond a loss of power.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
