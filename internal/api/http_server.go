package api

import (
	"net/http"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/limits"
)

// NewServer wraps the API in an http.Server with limits for the time, size and number of
// connections. Its Shutdown drains the API first.
func NewServer(s *Server) *http.Server {
	server := limits.NewServer(s, limits.ServerOptions{
		ReadTimeout: s.timeouts.read, MaxConnections: s.opts.MaxConnections, Logger: s.opts.Logger,
	})
	// OPTIONS * is not an operation; the API returns a problem for it.
	server.DisableGeneralOptionsHandler = true
	server.RegisterOnShutdown(s.Drain)
	return server
}
