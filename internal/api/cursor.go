package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// A cursor is a position and a checksum over it and the list that it belongs to.
// It hides nothing: the checksum keeps cursors that were cut, changed or taken
// from another list from giving a page that nobody asked for.

const (
	cursorVersion      = 1
	cursorChecksumSize = 8
)

var cursorEncoding = base64.RawURLEncoding.Strict()

// cursorKey names a list: what it is of, and what narrows it down.
func cursorKey(parts ...string) string { return strings.Join(parts, "\x00") }

func encodeCursor(key string, position []byte) string {
	payload := append([]byte{cursorVersion}, position...)
	return cursorEncoding.EncodeToString(append(payload, cursorChecksum(key, payload)...))
}

// decodeCursor gives back a position of that many bytes, or a fault.
func decodeCursor(key, cursor string, size int) ([]byte, error) {
	payload, err := cursorEncoding.DecodeString(cursor)
	checksumStart := 1 + size
	if err != nil || len(payload) != checksumStart+cursorChecksumSize || payload[0] != cursorVersion || !bytes.Equal(payload[checksumStart:], cursorChecksum(key, payload[:checksumStart])) {
		return nil, errInvalidCursor
	}
	return payload[1:checksumStart], nil
}

var errInvalidCursor = invalidRequest(FieldError{"cursor", "is none of this list; give nextCursor of the page before, with the same filters"})

func cursorChecksum(key string, payload []byte) []byte {
	sum := sha256.Sum256(append([]byte("healthcare tenant-api cursor\x00"+key+"\x00"), payload...))
	return sum[:cursorChecksumSize]
}

const positionSize = 8 + 16

func encodeTenantCursor(key string, p tenant.Position) string {
	position := binary.BigEndian.AppendUint64(nil, uint64(p.CreatedAt.UnixMicro()))
	return encodeCursor(key, append(position, p.ID[:]...))
}

func decodeTenantCursor(key, cursor string) (*tenant.Position, error) {
	position, err := decodeCursor(key, cursor, positionSize)
	if err != nil {
		return nil, err
	}
	createdAt := time.UnixMicro(int64(binary.BigEndian.Uint64(position))).UTC() //nolint:gosec // checked below
	if year := createdAt.Year(); year < 2000 || year > 9999 {                   // Nobody's secret goes into the checksum, so anybody can make one.
		return nil, errInvalidCursor
	}
	return &tenant.Position{CreatedAt: createdAt, ID: uuid.UUID(position[8:])}, nil
}

func encodeSeqCursor(key string, seq int64) string {
	return encodeCursor(key, binary.BigEndian.AppendUint64(nil, uint64(seq))) //nolint:gosec // only turned back
}

func decodeSeqCursor(key, cursor string) (int64, error) {
	position, err := decodeCursor(key, cursor, 8)
	if err != nil {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(position)), nil //nolint:gosec // was made from one
}
