// Command directory is an example of a service that a blueprint's own step calls: a directory
// of clinics. Each request is signed (Standard Webhooks) and has a CloudEvent as its body. The
// directory is in memory here; a real one stores an entry and its webhook-id in one transaction.
//
//	BLUEPRINT_SECRET_DIRECTORY=whsec_... go run ./examples/directory -listen 127.0.0.1:8090
package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	secretVariable = "BLUEPRINT_SECRET_DIRECTORY"
	tolerance      = 5 * time.Minute // Of the signature's time. An older request was recorded and is sent again by another.
	maxBody        = 1 << 20
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "directory:", err)
		os.Exit(1) //nolint:gocritic // The context needs no end any more.
	}
}

// run serves until the context ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("directory", flag.ContinueOnError)
	flags.SetOutput(out)
	listen := flags.String("listen", "127.0.0.1:8090", "address to serve on")
	if err := flags.Parse(args); err != nil {
		return err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv(secretVariable), "whsec_"))
	if err != nil || len(key) < 24 {
		return fmt.Errorf("%s is no secret: write whsec_ and the base64 of at least 24 random bytes", secretVariable)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: newDirectory(key), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	stopped := context.AfterFunc(ctx, func() { _ = server.Shutdown(context.WithoutCancel(ctx)) })
	defer stopped()
	_, _ = fmt.Fprintf(out, "directory: serving http://%s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// event is what this service reads of a request's CloudEvent.
type event struct {
	SpecVersion string `json:"specversion"`
	Type        string `json:"type"`
	Subject     string `json:"subject"` // The tenant's id.
	Data        struct {
		Attempt int `json:"attempt"`
		Tenant  struct {
			Name string `json:"name"`
		} `json:"tenant"`
	} `json:"data"`
}

// entry is one clinic of the directory.
type entry struct {
	id, name string
	attempt  int // The last that registered it.
}

type directory struct {
	key []byte

	mu      sync.Mutex
	entries map[string]entry  // By tenant.
	answers map[string]string // The entry's id, by webhook-id.
	removed map[string]int    // The last attempt whose undo came, by tenant.
}

// newDirectory returns the service with an empty directory.
func newDirectory(key []byte) http.Handler {
	d := &directory{key: key, entries: map[string]entry{}, answers: map[string]string{}, removed: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /tenants", d.handle("healthcare.tenant.step", d.register))
	mux.HandleFunc("POST /tenants/undo", d.handle("healthcare.tenant.step.undo", d.remove))
	return mux
}

// handle checks a request before f gets its event: first the signature, of the body as it came.
func (d *directory) handle(kind string, f func(w http.ResponseWriter, webhookID string, e event)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
			return
		}
		if err := d.verify(r.Header, body, time.Now()); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		var e event
		mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err := json.Unmarshal(body, &e); err != nil || mediaType != "application/cloudevents+json" || e.SpecVersion != "1.0" || e.Type != kind || e.Subject == "" {
			http.Error(w, "the body is no CloudEvent 1.0 of the type "+kind+" with a subject", http.StatusBadRequest)
			return
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		f(w, r.Header.Get("webhook-id"), e)
	}
}

// verify checks the signature of Standard Webhooks: HMAC-SHA256 of id, time and body.
func (d *directory) verify(h http.Header, body []byte, now time.Time) error {
	id, timestamp := h.Get("webhook-id"), h.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" {
		return errors.New("the request has no webhook-id or no webhook-timestamp")
	}
	if age := now.Sub(time.Unix(seconds, 0)); age.Abs() > tolerance {
		return errors.New("the webhook-timestamp is too far from this server's time")
	}
	mac := hmac.New(sha256.New, d.key)
	_, _ = fmt.Fprintf(mac, "%s.%d.%s", id, seconds, body) // A hash takes everything.
	for signature := range strings.FieldsSeq(h.Get("webhook-signature")) {
		given, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(signature, "v1,"))
		if err == nil && strings.HasPrefix(signature, "v1,") && hmac.Equal(given, mac.Sum(nil)) {
			return nil
		}
	}
	return errors.New("no webhook-signature was made with this secret")
}

// register makes the tenant's entry, or finds it: a request can come more than once, and so
// can a step, with another webhook-id, when a tenant is provisioned again.
func (d *directory) register(w http.ResponseWriter, webhookID string, e event) {
	id, known := d.answers[webhookID]
	switch {
	case e.Data.Attempt <= d.removed[e.Subject]: // It was under way for long, and its undo came first.
		http.Error(w, "this attempt was undone", http.StatusGone)
		return
	case known: // The same answer again.
	default:
		if id = d.entries[e.Subject].id; id == "" {
			id = "dir_" + strings.ToLower(rand.Text())
		}
		d.entries[e.Subject] = entry{id, e.Data.Tenant.Name, e.Data.Attempt}
		d.answers[webhookID] = id
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(map[string]map[string]string{"outputs": {"directory_id": id}}); err != nil {
		slog.Error("answer", "webhook_id", webhookID, "error", err) // The request is sent again.
	}
}

// remove undoes register. That there is nothing to undo is success: then nothing was done, or
// this request came before.
func (d *directory) remove(w http.ResponseWriter, _ string, e event) {
	if d.entries[e.Subject].attempt <= e.Data.Attempt {
		delete(d.entries, e.Subject)
	}
	d.removed[e.Subject] = max(d.removed[e.Subject], e.Data.Attempt)
	w.WriteHeader(http.StatusNoContent)
}
