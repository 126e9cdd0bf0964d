//go:build unix

package pgserver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

const (
	// maxDownloadAttempts is how often a download is attempted.
	maxDownloadAttempts = 3
	// maxDownload is a limit far above the size of the archives.
	maxDownload = 256 << 20
	// downloadIdleTimeout is how long a server may send nothing during a download.
	downloadIdleTimeout = 30 * time.Second
)

// nonRetryableError is an error that a retry would repeat.
type nonRetryableError struct{ error }

// download stores the platform's archive in dir, if it has the pinned SHA-256.
func (f *downloader) download(ctx context.Context, dir string) (string, error) {
	address := f.base + f.platform.path(f.version)
	target := filepath.Join(dir, "archive.jar")
	var lastErr error
	for n := range maxDownloadAttempts {
		if n > 0 {
			select {
			case <-time.After(f.backoff << (n - 1)):
			case <-ctx.Done():
				return "", lastErr
			}
		}
		if lastErr = f.downloadOnce(ctx, address, target); lastErr == nil {
			return target, nil
		}
		var nonRetryable nonRetryableError
		if errors.As(lastErr, &nonRetryable) || ctx.Err() != nil {
			break
		}
	}
	return "", lastErr
}

func (f *downloader) downloadOnce(ctx context.Context, address, target string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nonRetryableError{fmt.Errorf("%s: %w", mirrorEnv, err)}
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		err := fmt.Errorf("%s answered %s", address, response.Status)
		if response.StatusCode < 500 && response.StatusCode != http.StatusTooManyRequests {
			err = nonRetryableError{err}
		}
		return err
	}
	f.printDownloadSize(request.URL, response.ContentLength)

	file, err := os.Create(target) //nolint:gosec // G304: a file of devstack's own folder
	if err != nil {
		return nonRetryableError{err}
	}
	hash := sha256.New()
	// A server that stops sending ends the attempt; each byte resets the timer.
	idleTimer := time.AfterFunc(downloadIdleTimeout, func() { cancel(fmt.Errorf("no data was received for %v", downloadIdleTimeout)) })
	defer idleTimer.Stop()
	body := &idleTimeoutReader{Reader: io.LimitReader(response.Body, maxDownload), timer: idleTimer}
	_, err = io.Copy(io.MultiWriter(file, hash), body)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("%s: %w", address, errors.Join(err, context.Cause(ctx)))
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != f.platform.sha256 {
		return nonRetryableError{fmt.Errorf("%s has the SHA-256 %s, but %s is expected: it was not unpacked", address, got, f.platform.sha256)}
	}
	return nil
}

func (f *downloader) printDownloadSize(from *url.URL, size int64) {
	if size > 0 {
		f.printf("PostgreSQL %s: not found on this machine, downloading %.0f MB from %s (once)", f.version, float64(size)/1e6, from.Host)
		return
	}
	f.printf("PostgreSQL %s: not found on this machine, downloading it from %s (once)", f.version, from.Host)
}

// idleTimeoutReader resets its timer with each read.
type idleTimeoutReader struct {
	io.Reader
	timer *time.Timer
}

func (w *idleTimeoutReader) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.timer.Reset(downloadIdleTimeout)
	}
	return n, err
}
