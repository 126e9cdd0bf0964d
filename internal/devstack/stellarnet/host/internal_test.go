package host

import (
	"bytes"
	"context"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite settings.bin")

func open(t *testing.T) *pool {
	t.Helper()
	h, err := New(t.Context(), Options{PoolSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The test's own context has ended by now.
		if err := h.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return poolOf(t, h)
}

func TestDefaultConfigSettings_MatchHost(t *testing.T) {
	d, err := open(t).call(t.Context(), nil, "default_settings", nil)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("settings.bin", d.b, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(d.b, defaultSettings) {
		t.Error("settings.bin is old: run make wasm")
	}
	if n := len(DefaultConfigSettings()); n != 19 {
		t.Errorf("%d settings, want 19", n)
	}
}

func TestPool_DiscardsPanickedInstance(t *testing.T) {
	t.Parallel()
	p := open(t)
	in, err := p.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// More than the memory may hold.
	_, err = in.module.ExportedFunction("alloc").Call(t.Context(), 1<<30)
	if err == nil {
		t.Fatal("no error")
	}
	if err := in.addPanicMessage(err); !strings.Contains(err.Error(), "out of memory") {
		t.Errorf("error %v does not contain the panic message", err)
	}
	in.unusable = true
	p.release(t.Context(), in)
	if again := <-p.slots; again != nil {
		t.Error("kept a broken instance")
	}
	p.slots <- nil
}
