package limits

import (
	"log/slog"
	"net/http"
	"time"
)

// Limits of a connection before, between and during its requests.
const (
	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 60 * time.Second
	maxHeaderBytes    = 16 << 10
)

// ServerOptions are the limits of a server.
type ServerOptions struct {
	ReadTimeout    time.Duration // To receive a request, including its body.
	MaxConnections int
	Logger         *slog.Logger // Logs errors of clients, at level debug.
}

// NewServer returns a server with limits for the time, size and number of connections. It
// sets no WriteTimeout, because streams have no limit: the handler writes to a
// ResponseWriter, which sets write deadlines.
func NewServer(handler http.Handler, o ServerOptions) *http.Server {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       o.ReadTimeout, // Ends with the request body, so it does not limit streams.
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
	limitConnections(server, o.MaxConnections)
	return server
}
