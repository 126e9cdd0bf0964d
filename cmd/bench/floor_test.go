//go:build unix

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

func TestFloorSQL(t *testing.T) {
	t.Parallel()

	t.Run("NeverChanges", func(t *testing.T) {
		t.Parallel()
		const want = "52b28fbc6bb911c51c39da12ae8188c9f0327f0d9d1bdbe64918ea662405add2"
		digest := sha256.Sum256([]byte(floorSQL))
		if got := hex.EncodeToString(digest[:]); got != want {
			t.Errorf("testdata/floor.sql has changed: its digest is %s. Restore it; with another floor, ratios cannot be compared with earlier ones.", got)
		}
	})
	t.Run("HasThreeParts", func(t *testing.T) {
		t.Parallel()
		for part, statement := range map[string]string{
			"user": "CREATE ROLE " + floorUser + " ", "registry": "CREATE TABLE tenants (", "tenant": "CREATE SCHEMA floor_:n;",
		} {
			if text := floorPart(part); strings.Count(text, statement) != 1 || strings.Count(floorSQL, statement) != 1 {
				t.Errorf("part %q does not contain %q, or another does", part, statement)
			}
		}
	})
}

func TestParseSizes(t *testing.T) {
	if got, err := parseSizes("80, 16"); err != nil || !slices.Equal(got, []int{16, 80}) {
		t.Errorf("sizes %v, error %v", got, err)
	}
	for _, text := range []string{"", "x", "0", "-8", "12", "16,", "16;80"} {
		if got, err := parseSizes(text); err == nil {
			t.Errorf("%q are the sizes %v", text, got)
		}
	}
}
