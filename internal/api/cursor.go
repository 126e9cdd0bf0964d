package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// A cursor is a position and a checksum over it and the list that it belongs to.
// It hides nothing: the checksum keeps cursors that were cut, changed or taken
// from another list from giving a page that nobody asked for.

const (
	cursorVersion  = 1
	cursorChecksum = 8
)

var cursorEncoding = base64.RawURLEncoding.Strict()

// listOf names a list: what it is of, and what narrows it down.
func listOf(parts ...string) string { return strings.Join(parts, "\x00") }

func sealCursor(list string, position []byte) string {
	sealed := append([]byte{cursorVersion}, position...)
	return cursorEncoding.EncodeToString(append(sealed, checksum(list, sealed)...))
}

// openCursor gives back a position of that many bytes, or a fault.
func openCursor(list, cursor string, size int) ([]byte, error) {
	sealed, err := cursorEncoding.DecodeString(cursor)
	end := 1 + size
	if err != nil || len(sealed) != end+cursorChecksum || sealed[0] != cursorVersion || !bytes.Equal(sealed[end:], checksum(list, sealed[:end])) {
		return nil, errCursor
	}
	return sealed[1:end], nil
}

var errCursor = invalid(Fault{"cursor", "is none of this list; give nextCursor of the page before, with the same filters"})

func checksum(list string, sealed []byte) []byte {
	sum := sha256.Sum256(append([]byte("healthcare tenant-api cursor\x00"+list+"\x00"), sealed...))
	return sum[:cursorChecksum]
}

const positionSize = 8 + 16

func tenantCursor(list string, p provisioning.Position) string {
	position := binary.BigEndian.AppendUint64(nil, uint64(p.CreatedAt.UnixMicro()))
	return sealCursor(list, append(position, p.ID[:]...))
}

func openTenantCursor(list, cursor string) (*provisioning.Position, error) {
	position, err := openCursor(list, cursor, positionSize)
	if err != nil {
		return nil, err
	}
	at := time.UnixMicro(int64(binary.BigEndian.Uint64(position))).UTC() //nolint:gosec // checked below
	if year := at.Year(); year < 2000 || year > 9999 {                   // Nobody's secret goes into the checksum, so anybody can make one.
		return nil, errCursor
	}
	return &provisioning.Position{CreatedAt: at, ID: uuid.UUID(position[8:])}, nil
}

func seqCursor(list string, seq int64) string {
	return sealCursor(list, binary.BigEndian.AppendUint64(nil, uint64(seq))) //nolint:gosec // only turned back
}

func openSeqCursor(list, cursor string) (int64, error) {
	position, err := openCursor(list, cursor, 8)
	if err != nil {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(position)), nil //nolint:gosec // was made from one
}
