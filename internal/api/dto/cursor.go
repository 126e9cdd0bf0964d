package dto

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// A cursor is a position and a checksum over the position and the list that it belongs to.
// It is not secret: the checksum rejects cursors that were truncated, changed or taken from
// another list.

const (
	cursorVersion  = 1
	cursorChecksum = 8
	positionSize   = 8 + 16
)

var cursorEncoding = base64.RawURLEncoding.Strict()

// ListName names a list for its cursors: its kind and its filters.
func ListName(parts ...string) string { return strings.Join(parts, "\x00") }

// TenantList names the list of tenants with these filters.
func TenantList(q tenant.ListQuery, name, externalID string) string {
	parts := []string{"tenants", string(q.Status), q.Text, q.Blueprint, string(q.Invitation), name, externalID, q.ManagedBy, timeText(q.CreatedAfter), timeText(q.CreatedBefore), BoolText(q.Held), BoolText(q.Suspended), BoolText(q.Behind)}
	for _, key := range slices.Sorted(maps.Keys(q.Metadata)) {
		parts = append(parts, key, q.Metadata[key])
	}
	return ListName(parts...)
}

// BoolText is a filter that is true or false, as a parameter; "" for none.
func BoolText(filter *bool) string {
	if filter == nil {
		return ""
	}
	return strconv.FormatBool(*filter)
}

// timeText is a time to the microsecond, as the registry stores times; "" for none.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}

// TenantCursor returns the cursor of the page after a tenant.
func TenantCursor(list string, after tenant.Position) string {
	position := binary.BigEndian.AppendUint64(nil, uint64(after.CreatedAt.UnixMicro()))
	return encodeCursor(list, append(position, after.ID[:]...))
}

// OpenTenantCursor returns the position of a cursor; ok is false for a value that is
// not a cursor of this list.
func OpenTenantCursor(list, cursor string) (after tenant.Position, ok bool) {
	position, ok := openCursor(list, cursor, positionSize)
	if !ok {
		return after, false
	}
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(position))).UTC() //nolint:gosec // checked below
	if year := at.Year(); year < 2000 || year > 9999 {                   // The checksum has no secret, so a client can forge a cursor.
		return after, false
	}
	return tenant.Position{CreatedAt: at, ID: uuid.UUID(position[8:])}, true
}

// IDCursor returns the cursor of the page after an id.
func IDCursor(list string, after uuid.UUID) string { return encodeCursor(list, after[:]) }

// OpenIDCursor returns the id of a cursor; ok is false for a value that is not a cursor of this list.
func OpenIDCursor(list, cursor string) (after uuid.UUID, ok bool) {
	position, ok := openCursor(list, cursor, len(after))
	if !ok {
		return uuid.Nil, false
	}
	return uuid.UUID(position), true
}

// SeqCursor returns the cursor of the page after a sequence number.
func SeqCursor(list string, after int64) string {
	return encodeCursor(list, binary.BigEndian.AppendUint64(nil, uint64(after))) //nolint:gosec // only converted back
}

// OpenSeqCursor returns the number of a cursor; ok is false for a value that is not a
// cursor of this list.
func OpenSeqCursor(list, cursor string) (after int64, ok bool) {
	position, ok := openCursor(list, cursor, 8)
	if !ok {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(position)), true //nolint:gosec // was converted from int64
}

func encodeCursor(list string, position []byte) string {
	sealed := append([]byte{cursorVersion}, position...)
	return cursorEncoding.EncodeToString(append(sealed, checksum(list, sealed)...))
}

// openCursor decodes a position of size bytes.
func openCursor(list, cursor string, size int) ([]byte, bool) {
	sealed, err := cursorEncoding.DecodeString(cursor)
	end := 1 + size
	if strings.ContainsAny(cursor, "\r\n") { // The decoder skips them.
		return nil, false
	}
	if err != nil || len(sealed) != end+cursorChecksum || sealed[0] != cursorVersion || !bytes.Equal(sealed[end:], checksum(list, sealed[:end])) {
		return nil, false
	}
	return sealed[1:end], true
}

func checksum(list string, sealed []byte) []byte {
	sum := sha256.Sum256(append([]byte("healthcare tenant-api cursor\x00"+list+"\x00"), sealed...))
	return sum[:cursorChecksum]
}
