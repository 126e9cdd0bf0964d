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
	// tries is how often a download is begun.
	tries = 3
	// maxDownload is far above the size of any of the archives.
	maxDownload = 256 << 20
	// silence is how long a server may send nothing in the middle of a download.
	silence = 30 * time.Second
)

// permanentError is one that another try would only repeat.
type permanentError struct{ error }

// download stores the platform's archive in dir, if it has the pinned digest.
func (f *fetcher) download(ctx context.Context, dir string) (string, error) {
	address := f.base + f.platform.path(f.version)
	target := filepath.Join(dir, "archive.jar")
	var last error
	for n := range tries {
		if n > 0 {
			select {
			case <-time.After(f.pause << (n - 1)):
			case <-ctx.Done():
				return "", last
			}
		}
		if last = f.attempt(ctx, address, target); last == nil {
			return target, nil
		}
		var permanent permanentError
		if errors.As(last, &permanent) || ctx.Err() != nil {
			break
		}
	}
	return "", last
}

func (f *fetcher) attempt(ctx context.Context, address, target string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return permanentError{fmt.Errorf("%s: %w", mirrorEnv, err)}
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		err := fmt.Errorf("%s answered %s", address, answer.Status)
		if answer.StatusCode < 500 && answer.StatusCode != http.StatusTooManyRequests {
			err = permanentError{err}
		}
		return err
	}
	f.announce(request.URL, answer.ContentLength)

	file, err := os.Create(target)
	if err != nil {
		return permanentError{err}
	}
	hash := sha256.New()
	// A server that falls silent ends the attempt; each byte moves that point.
	watch := time.AfterFunc(silence, func() { cancel(fmt.Errorf("nothing arrived for %v", silence)) })
	defer watch.Stop()
	body := &watched{Reader: io.LimitReader(answer.Body, maxDownload), watch: watch}
	_, err = io.Copy(io.MultiWriter(file, hash), body)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("%s: %w", address, errors.Join(err, context.Cause(ctx)))
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != f.platform.sha256 {
		return permanentError{fmt.Errorf("%s has the SHA-256 %s, but %s is expected: it was not unpacked", address, got, f.platform.sha256)}
	}
	return nil
}

func (f *fetcher) announce(from *url.URL, size int64) {
	if size > 0 {
		f.say("PostgreSQL %s: not found on this machine, downloading %.0f MB from %s (once)", f.version, float64(size)/1e6, from.Host)
		return
	}
	f.say("PostgreSQL %s: not found on this machine, downloading it from %s (once)", f.version, from.Host)
}

// watched puts off its timer with everything that arrives.
type watched struct {
	io.Reader
	watch *time.Timer
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.watch.Reset(silence)
	}
	return n, err
}
