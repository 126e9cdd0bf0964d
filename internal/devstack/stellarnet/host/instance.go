package host

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// The memory size in bytes above which an instance is not used again after a call.
const maxReusedMemory = 64 << 20

// instance is one instance of the host, with separate memory. It runs one call at a time.
type instance struct {
	module   api.Module
	unusable bool
	// Where a panic writes its message.
	panicMessage uint32
}

func (p *pool) instantiate(ctx context.Context) (*instance, error) {
	// Without a name, so that many instances can exist. Without _start, which a library
	// does not have.
	module, err := p.runtime.InstantiateModule(ctx, p.compiled,
		wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize"))
	if err != nil {
		return nil, fmt.Errorf("start the Soroban host: %w", err)
	}
	at, err := module.ExportedFunction("panic_message").Call(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the Soroban host: %w", err), module.Close(ctx))
	}
	return &instance{module: module, panicMessage: api.DecodeU32(at[0])}, nil
}

func (in *instance) reusable() bool {
	return !in.unusable && !in.module.IsClosed() && in.module.Memory().Size() <= maxReusedMemory
}

// call implements caller.
func (p *pool) call(ctx context.Context, lookup LookupFunc, export string, request []byte) (*decoder, error) {
	answer, err := p.callModule(ctx, lookup, export, request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", export, err)
	}
	d, err := answerBody(answer)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", export, err)
	}
	return d, nil
}

// answerBody returns the response without its first byte, which marks errors.
func answerBody(answer []byte) (*decoder, error) {
	d := &decoder{b: answer}
	if d.bool() {
		return nil, errors.New(string(d.bytes()))
	}
	return d, nil
}

// callModule runs one export on a request.
func (p *pool) callModule(ctx context.Context, lookup LookupFunc, export string, request []byte) ([]byte, error) {
	in, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer p.release(ctx, in)
	// Until the call has succeeded: it may also panic in lookup.
	in.unusable = true
	requested := &callLookups{get: lookup}
	answer, err := in.run(context.WithValue(ctx, lookupsKey{}, requested), export, request)
	if err != nil {
		return nil, in.addPanicMessage(err)
	}
	in.unusable = false
	// The host continues after a failed lookup and returns another error.
	if requested.err != nil {
		return nil, fmt.Errorf("look up a ledger entry: %w", requested.err)
	}
	return answer, nil
}

func (in *instance) run(ctx context.Context, export string, request []byte) ([]byte, error) {
	ptr, err := in.writeBuffer(ctx, request)
	if err != nil {
		return nil, err
	}
	// The callee frees the request.
	ret, err := in.module.ExportedFunction(export).Call(ctx, uint64(ptr), uint64(len(request)))
	if err != nil {
		return nil, err
	}
	return in.readAnswer(ctx, ret[0])
}

// writeBuffer copies b into a new buffer of the module.
func (in *instance) writeBuffer(ctx context.Context, b []byte) (uint32, error) {
	return writeModuleBuffer(ctx, in.module, b)
}

func writeModuleBuffer(ctx context.Context, m api.Module, b []byte) (uint32, error) {
	ret, err := m.ExportedFunction("alloc").Call(ctx, uint64(len(b)))
	if err != nil {
		return 0, fmt.Errorf("allocate %d bytes: %w", len(b), err)
	}
	ptr := api.DecodeU32(ret[0])
	if !m.Memory().Write(ptr, b) {
		return 0, fmt.Errorf("write %d bytes at %d: out of bounds", len(b), ptr)
	}
	return ptr, nil
}

// readAnswer copies a response and frees it.
func (in *instance) readAnswer(ctx context.Context, packed uint64) ([]byte, error) {
	ptr, n := unpackPointer(packed)
	view, ok := in.module.Memory().Read(ptr, n)
	if !ok {
		return nil, fmt.Errorf("read %d bytes at %d: out of bounds", n, ptr)
	}
	answer := append([]byte(nil), view...)
	if _, err := in.module.ExportedFunction("dealloc").Call(ctx, uint64(ptr), uint64(n)); err != nil {
		return nil, err
	}
	return answer, nil
}

func unpackPointer(packed uint64) (ptr, n uint32) {
	return uint32(packed >> 32), uint32(packed) // The two halves.
}

func packPointer(ptr uint32, n int) uint64 {
	return uint64(ptr)<<32 | uint64(n)
}

// addPanicMessage adds the message of the panic that caused a trap.
func (in *instance) addPanicMessage(err error) error {
	head, ok := in.module.Memory().Read(in.panicMessage, 4)
	if !ok {
		return err
	}
	text, ok := in.module.Memory().Read(in.panicMessage+4, binary.LittleEndian.Uint32(head))
	if !ok || len(text) == 0 {
		return err
	}
	return fmt.Errorf("%s: %w", text, err)
}

type lookupsKey struct{}

// callLookups serves the lookups of one call.
type callLookups struct {
	get LookupFunc
	err error // The first that failed.
}

const (
	entryMissing = uint64(0)
	lookupFailed = ^uint64(0)
)

// getEntry is the module's only import.
func getEntry(ctx context.Context, m api.Module, stack []uint64) {
	l, _ := ctx.Value(lookupsKey{}).(*callLookups) // Every call into the module sets it.
	found, err := l.lookUp(ctx, m, api.DecodeU32(stack[0]), api.DecodeU32(stack[1]))
	if err != nil {
		if l.err == nil {
			l.err = err
		}
		found = lookupFailed
	}
	stack[0] = found
}

func (l *callLookups) lookUp(ctx context.Context, m api.Module, ptr, n uint32) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if l.get == nil {
		return 0, errors.New("no LookupFunc was given")
	}
	view, ok := m.Memory().Read(ptr, n)
	if !ok {
		return 0, fmt.Errorf("read key of %d bytes at %d: out of bounds", n, ptr)
	}
	// The view is valid only until the module runs again.
	entry, liveUntil, err := l.get(append([]byte(nil), view...))
	if err != nil || entry == nil {
		return entryMissing, err
	}
	var e encoder
	e.optionU32(liveUntil)
	e.bytes(entry)
	buffer, err := writeModuleBuffer(ctx, m, e.b)
	if err != nil {
		return 0, err
	}
	return packPointer(buffer, len(e.b)), nil
}
