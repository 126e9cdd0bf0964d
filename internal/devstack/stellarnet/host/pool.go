package host

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

//go:embed host.wasm
var hostWasm []byte

// Pages of 64 KiB that one instance may grow to. The host itself applies the network's
// memory limit to contracts; this limit is for defects of the host.
const memoryLimitPages = 8192

// Options are the settings of New. Their zero value works.
type Options struct {
	// CacheDir stores the compiled host: compiling takes seconds, loading a tenth of a
	// second. Default: a folder in the user's cache, or no cache if that cannot be
	// written.
	CacheDir string
	// PoolSize is how many calls run at once; others wait. Each uses some megabytes.
	// Default: GOMAXPROCS.
	PoolSize int
}

// New compiles the host. Close frees it.
//
// A call checks its context while it waits for an instance and at each lookup. Between
// these it runs on, at most as long as the network's instruction limit allows: more
// frequent checks make every call four times slower.
func New(ctx context.Context, opts Options) (Host, error) {
	if opts.PoolSize < 0 {
		return nil, fmt.Errorf("PoolSize is %d, want 0 or more", opts.PoolSize)
	}
	if opts.PoolSize == 0 {
		opts.PoolSize = runtime.GOMAXPROCS(0)
	}
	cache, err := openCache(opts.CacheDir)
	if err != nil {
		return nil, err
	}
	p := &pool{cache: cache, slots: make(chan *instance, opts.PoolSize), closed: make(chan struct{})}
	p.hostCalls = hostCalls{caller: p}
	for range opts.PoolSize {
		p.slots <- nil
	}
	if err := p.compile(ctx); err != nil {
		return nil, errors.Join(err, p.shutdown(ctx))
	}
	return p, nil
}

// openCache returns nil when no cache is possible.
func openCache(dir string) (wazero.CompilationCache, error) {
	if dir != "" {
		cache, err := wazero.NewCompilationCacheWithDir(dir)
		if err != nil {
			return nil, fmt.Errorf("open CacheDir %q: %w", dir, err)
		}
		return cache, nil
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // documented: no cache
	}
	cache, err := wazero.NewCompilationCacheWithDir(filepath.Join(base, "terraform-provider-healthcare", "wazero"))
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // documented: no cache
	}
	return cache, nil
}

// pool is the Host: instances of one compiled module, each used by one call at a time.
type pool struct {
	hostCalls
	cache    wazero.CompilationCache
	runtime  wazero.Runtime
	compiled wazero.CompiledModule

	// slots holds the unused instances; nil is one that is not created yet.
	slots     chan *instance
	closed    chan struct{}
	closeOnce sync.Once
}

func (p *pool) compile(ctx context.Context) error {
	config := wazero.NewRuntimeConfig().WithMemoryLimitPages(memoryLimitPages)
	if p.cache != nil {
		config = config.WithCompilationCache(p.cache)
	}
	p.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	ledger := p.runtime.NewHostModuleBuilder("ledger")
	ledger.NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(getEntry),
			[]api.ValueType{api.ValueTypeI32, api.ValueTypeI32}, []api.ValueType{api.ValueTypeI64}).
		Export("get")
	if _, err := ledger.Instantiate(ctx); err != nil {
		return fmt.Errorf("offer the ledger to the Soroban host: %w", err)
	}
	var err error
	if p.compiled, err = p.runtime.CompileModule(ctx, hostWasm); err != nil {
		return fmt.Errorf("compile the Soroban host: %w", err)
	}
	return nil
}

var errClosed = errors.New("the Soroban host is closed")

// acquire waits for an instance. The caller must always release it.
func (p *pool) acquire(ctx context.Context) (*instance, error) {
	// If several cases are ready, select chooses at random, so a closed pool is checked
	// first.
	select {
	case <-p.closed:
		return nil, errClosed
	default:
	}
	select {
	case <-p.closed:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	case in := <-p.slots:
		if in != nil {
			return in, nil
		}
		in, err := p.instantiate(ctx)
		if err != nil {
			p.slots <- nil
			return nil, err
		}
		return in, nil
	}
}

// release returns an instance for the next call. It closes one that is broken, or that
// has grown large, because memory never shrinks; a new one replaces it.
func (p *pool) release(ctx context.Context, in *instance) {
	if in.reusable() {
		p.slots <- in
		return
	}
	// It is not used again, and the slot is free in any case.
	_ = in.module.Close(context.WithoutCancel(ctx))
	p.slots <- nil
}

// Close waits for running calls and frees the host. Later calls fail.
func (p *pool) Close(ctx context.Context) error {
	p.closeOnce.Do(func() { close(p.closed) })
	for range cap(p.slots) {
		select {
		case <-p.slots:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), p.shutdown(context.WithoutCancel(ctx)))
		}
	}
	err := p.shutdown(ctx)
	// A second Close has nothing to wait for.
	for range cap(p.slots) {
		p.slots <- nil
	}
	return err
}

func (p *pool) shutdown(ctx context.Context) error {
	var errs []error
	if p.runtime != nil {
		errs = append(errs, p.runtime.Close(ctx))
	}
	if p.cache != nil {
		errs = append(errs, p.cache.Close(ctx))
	}
	return errors.Join(errs...)
}
