package queue

import (
	"context"
	"log/slog"
)

// demoteInfoHandler forwards River's log records and logs information at debug level: River
// reports every five seconds how many jobs it ran.
type demoteInfoHandler struct{ slog.Handler }

func (h demoteInfoHandler) demote(l slog.Level) slog.Level {
	if l == slog.LevelInfo {
		return slog.LevelDebug
	}
	return l
}

// Enabled checks the level that the record will be logged at.
func (h demoteInfoHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.Handler.Enabled(ctx, h.demote(l))
}

// Handle forwards a record.
func (h demoteInfoHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Level = h.demote(r.Level)
	return h.Handler.Handle(ctx, r)
}

// WithAttrs demotes the records of the new handler, too.
func (h demoteInfoHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return demoteInfoHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup demotes the records of the new handler, too.
func (h demoteInfoHandler) WithGroup(name string) slog.Handler {
	return demoteInfoHandler{h.Handler.WithGroup(name)}
}
