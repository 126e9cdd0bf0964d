package queue

import (
	"context"
	"log/slog"
)

// demoteInfoHandler passes on what River logs, its information as details: how many jobs it
// ran in the last five seconds is nobody's daily reading.
type demoteInfoHandler struct{ slog.Handler }

func (h demoteInfoHandler) demote(l slog.Level) slog.Level {
	if l == slog.LevelInfo {
		return slog.LevelDebug
	}
	return l
}

// Enabled asks for the level that the record is going to have.
func (h demoteInfoHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.Handler.Enabled(ctx, h.demote(l))
}

// Handle passes a record on.
func (h demoteInfoHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Level = h.demote(r.Level)
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the new handler quiet.
func (h demoteInfoHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return demoteInfoHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the new handler quiet.
func (h demoteInfoHandler) WithGroup(name string) slog.Handler {
	return demoteInfoHandler{h.Handler.WithGroup(name)}
}
