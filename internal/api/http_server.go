package api

import (
	"log/slog"
	"net/http"
	"time"
)

// What a connection may cost before it has said anything of use.
const (
	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 16 << 10
)

// NewServer puts around the API what it needs in a network: limits of time, size
// and number for connections. Its Shutdown drains the API first. The time for
// answers is the API's own to keep, because its streams have none.
func NewServer(s *Server) *http.Server {
	limiter := newConnLimiter(s.opts.MaxConnections)
	server := &http.Server{
		Handler:           limiter.middleware(s),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       s.timeouts.read, // It ends with the body, so streams are as long as they like.
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnContext:       limiter.connContext,
		ConnState:         limiter.connStateChanged,
		ErrorLog:          slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug), // Callers' faults.
		// OPTIONS * is no call of this API, and answered like the others.
		DisableGeneralOptionsHandler: true,
	}
	server.RegisterOnShutdown(s.Drain)
	return server
}
