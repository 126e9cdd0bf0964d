package api

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/limits"
)

// Limits of a connection before its first request.
const (
	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 16 << 10
)

// NewServer wraps the API in an http.Server with limits for the time, size and number of
// connections. Its Shutdown drains the API first. It sets no WriteTimeout, because streams
// have no limit; the API sets write deadlines itself.
func NewServer(s *Server) *http.Server {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       s.timeouts.read, // Ends with the request body, so it does not limit streams.
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug), // Errors of clients.
		// OPTIONS * is not an operation; the API returns a problem for it.
		DisableGeneralOptionsHandler: true,
	}
	limits.Connections(server, s.opts.MaxConnections)
	server.RegisterOnShutdown(s.Drain)
	return server
}
