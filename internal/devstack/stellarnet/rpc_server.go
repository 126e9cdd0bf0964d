package stellarnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/creachadair/jrpc2"
	"github.com/creachadair/jrpc2/handler"
	"github.com/creachadair/jrpc2/jhttp"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
)

const (
	friendbotPath = "/friendbot"
	controlPath   = "/control/close"
	maxBody       = 512 * 1024 // The limit of stellar-rpc.
)

// server is the network's only listener: the RPC at /, friendbot and control beside it.
// It can go down and restart on the same port.
type server struct {
	n       *Network
	jsonrpc jhttp.Bridge
	addr    string // Set by the first open.

	mu      sync.Mutex
	http    *http.Server // nil while down.
	serving sync.WaitGroup
}

func newServer(n *Network) *server {
	return &server{n: n, jsonrpc: jhttp.NewBridge(n.methods(), &jhttp.BridgeOptions{
		Server: &jrpc2.ServerOptions{Concurrency: 4 * runtime.NumCPU()},
	})}
}

// methods are those of stellar-rpc, served by the same JSON-RPC library.
func (n *Network) methods() handler.Map {
	return handler.Map{
		protocol.GetHealthMethodName:           rpcMethod(n.getHealth),
		protocol.GetNetworkMethodName:          rpcMethod(n.getNetwork),
		protocol.GetVersionInfoMethodName:      rpcMethod(n.getVersionInfo),
		protocol.GetLatestLedgerMethodName:     rpcMethod(n.getLatestLedger),
		protocol.GetFeeStatsMethodName:         rpcMethod(n.getFeeStats),
		protocol.GetLedgerEntriesMethodName:    rpcMethod(n.getLedgerEntries),
		protocol.GetLedgersMethodName:          rpcMethod(n.getLedgers),
		protocol.GetTransactionMethodName:      rpcMethod(n.getTransaction),
		protocol.GetTransactionsMethodName:     rpcMethod(n.getTransactions),
		protocol.GetEventsMethodName:           rpcMethod(n.getEvents),
		protocol.SendTransactionMethodName:     rpcMethod(n.sendTransaction),
		protocol.SimulateTransactionMethodName: rpcMethod(n.simulateTransaction),
	}
}

// rpcMethod accepts parameters only by name, as stellar-rpc does.
func rpcMethod[Q, A any](fn func(context.Context, Q) (A, error)) jrpc2.Handler {
	info, err := handler.Check(fn)
	if err != nil {
		panic("stellarnet: " + err.Error())
	}
	return info.AllowArray(false).Wrap()
}

// open listens and serves until close or down.
func (s *server) open(addr string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http != nil {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen for RPC: %w", err)
	}
	if s.addr == "" {
		s.addr = listener.Addr().String()
	}
	mux := http.NewServeMux()
	mux.Handle("/", s.n.faults.middleware(s.jsonrpc))
	mux.Handle(friendbotPath, s.n.faults.middleware(http.HandlerFunc(s.n.serveFriendbot)))
	mux.HandleFunc(controlPath, s.n.serveClose) // Faults do not apply: it is not part of the network under test.
	web := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 * 1024,
	}
	s.http = web
	s.serving.Go(func() {
		if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.n.log.Error("RPC stopped serving", "error", err)
		}
	})
	return nil
}

// shutdown refuses connections and closes the existing ones.
func (s *server) shutdown() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http == nil {
		return nil
	}
	err := s.http.Close()
	s.http = nil
	s.serving.Wait()
	return err
}

func (s *server) close() error {
	return errors.Join(s.shutdown(), s.jsonrpc.Close())
}

func invalidParams(format string, args ...any) error {
	return &jrpc2.Error{Code: jrpc2.InvalidParams, Message: fmt.Sprintf(format, args...)}
}

func internalError(format string, args ...any) error {
	return &jrpc2.Error{Code: jrpc2.InternalError, Message: fmt.Sprintf(format, args...)}
}
