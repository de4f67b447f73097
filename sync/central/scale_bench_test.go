package central

import (
	"fmt"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// campus is a centre with the roster of a large university, and as many keys of
// packets as its photos would have.
func campus(b *testing.B, students, packets int) *Server {
	b.Helper()
	s, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	if _, err := s.SeedDemo(b.Context()); err != nil {
		b.Fatal(err)
	}
	var file strings.Builder
	file.WriteString("姓名,证件号码,学号\n")
	for i := range students {
		born := time.Date(2005, 1, 1+i/900, 0, 0, 0, 0, time.UTC)
		fmt.Fprintf(&file, "测试%d号,%s,S%05d\n", i, residentNumber(born, i%900), i)
	}
	began := time.Now()
	if _, err := s.ImportRoster(b.Context(), DemoBatchFree, []byte(file.String()), "bench"); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d students imported in %.1f s", students, time.Since(began).Seconds())
	err = s.update(b.Context(), func(tx *bolt.Tx) error {
		for i := range packets {
			if _, err := s.vault.ensureKey(tx, packetLabel(fmt.Sprint(i))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkCampus is what encryption at rest costs where it is felt: a phone
// that looks for its student, an administrator's search, a station's first list,
// and an erasure, which wraps every key anew. 20,000 students, 20,000 photos.
func BenchmarkCampus(b *testing.B) {
	s := campus(b, 20000, 20000)
	all, err := s.Students(b.Context(), DemoBatchFree)
	if err != nil {
		b.Fatal(err)
	}
	some := all[len(all)/2]
	b.Run("match", func(b *testing.B) {
		st := Station{Batches: []string{DemoBatchPaid, DemoBatchFree}}
		for b.Loop() {
			err := s.db.View(func(tx *bolt.Tx) error {
				refs, err := s.match(tx, st, some.IDType, some.IDNumber, normalName(some.Name))
				if len(refs) != 1 {
					b.Fatalf("%d students", len(refs))
				}
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, text := range map[string]string{"number": some.IDNumber, "name": some.Name} {
		b.Run("find by "+name, func(b *testing.B) {
			for b.Loop() {
				if found, err := s.FindStudents(b.Context(), text, nil, foundShown); err != nil || len(found) == 0 {
					b.Fatalf("%d students, %v", len(found), err)
				}
			}
		})
	}
	b.Run("first list page", func(b *testing.B) {
		st := Station{ID: "s", Batches: []string{DemoBatchFree}}
		for b.Loop() {
			var d wire.RosterDelta
			if d, err = s.rosterDelta(b.Context(), st, 0); err != nil || len(d.Upsert) != rosterPage {
				b.Fatalf("%d students, %v", len(d.Upsert), err)
			}
		}
	})
	n := 0
	b.Run("erase", func(b *testing.B) {
		for b.Loop() {
			if err := s.EraseStudent(b.Context(), all[n].Ref, "bench"); err != nil {
				b.Fatal(err)
			}
			n++
		}
	})
}
