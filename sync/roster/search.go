package roster

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yunzhao-station/yunzhao/assets/han"
	"github.com/yunzhao-station/yunzhao/sync/wire"
)

// maxReadings bounds how many spellings of one name are kept: characters with
// several readings multiply, and no name needs more.
const maxReadings = 16

// names is what is searched by name. Both lists are sorted by key.
type names struct {
	written []nameKey // folded names
	spelt   []nameKey // initials in pinyin, a key for each way to read the name
}

type nameKey struct {
	key string
	p   *wire.Student
}

func buildNames(students map[string]*wire.Student) names {
	n := names{
		written: make([]nameKey, 0, len(students)),
		spelt:   make([]nameKey, 0, len(students)+len(students)/3),
	}
	shared := map[string]string{} // most initials are those of many
	for _, p := range students {
		folded := FoldName(p.Name)
		if folded == "" {
			continue
		}
		if folded == p.Name {
			folded = p.Name // not a second copy in memory
		}
		n.written = append(n.written, nameKey{folded, p})
		for _, k := range spellings(folded) {
			if s, ok := shared[k]; ok {
				k = s
			} else {
				shared[k] = k
			}
			n.spelt = append(n.spelt, nameKey{k, p})
		}
	}
	for _, l := range [][]nameKey{n.written, n.spelt} {
		slices.SortFunc(l, func(a, b nameKey) int {
			return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.p.Batch, b.p.Batch), cmp.Compare(a.p.Ref, b.p.Ref))
		})
	}
	return n
}

// spellings are the initials of a folded name, in every way that it may be
// read. A name with a character that no reading is known of has none; Latin
// letters stand for themselves.
func spellings(folded string) []string {
	out := []string{""}
	for _, r := range folded {
		letters := han.Initials(r)
		if r >= 'a' && r <= 'z' {
			letters = 1 << (r - 'a')
		}
		if letters == 0 {
			return nil
		}
		var next []string
		for _, s := range out {
			for c := range 26 {
				if letters&(1<<c) != 0 && len(next) < maxReadings {
					next = append(next, s+string(rune('a'+c)))
				}
			}
		}
		out = next
	}
	return out
}

// MinTail is the least number of characters at the end of a number by which
// students are found: fewer say nothing.
const MinTail = 3

// Search finds students by whatever staff type: a number, whole or its last
// characters, at least [MinTail]; a name or the beginning of one, in either
// script; or the initials of its pinyin (zjm finds 张*明). batch limits it to one batch, "" searches all. At most limit students
// come back, those whose name is shortest, and so matched most of, first.
func (s *Store) Search(batch, query string, limit int) []wire.Student {
	if limit <= 0 {
		return nil
	}
	var out []wire.Student
	for _, st := range s.Lookup(Any, query) {
		if batch == "" || st.Batch == batch {
			out = append(out, st)
		}
	}
	if len(out) > 0 {
		return out[:min(len(out), limit)]
	}
	key := FoldName(query)
	if key == "" {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if strings.ContainsFunc(key, unicode.IsDigit) {
		return s.byTail(batch, Normalise(query), limit)
	}
	// The best are kept in their order as they come: a single letter finds a
	// quarter of the roster, of which the first twenty are wanted.
	var best []*wire.Student
	for _, list := range [][]nameKey{s.found.names.written, s.found.names.spelt} {
		i, _ := slices.BinarySearchFunc(list, key, func(k nameKey, key string) int { return cmp.Compare(k.key, key) })
		for ; i < len(list) && strings.HasPrefix(list[i].key, key); i++ {
			p := list[i].p
			if batch != "" && p.Batch != batch || len(best) == limit && byName(p, best[limit-1]) >= 0 {
				continue
			}
			at, twice := slices.BinarySearchFunc(best, p, byName)
			if !twice {
				best = slices.Insert(best[:min(len(best), limit-1)], at, p)
			}
		}
	}
	for _, p := range best {
		out = append(out, *p)
	}
	return out
}

// byTail finds students one of whose numbers ends so. The caller holds mu. Every
// number is looked at: 20,000 students take a millisecond, and nobody types faster.
func (s *Store) byTail(batch, tail string, limit int) []wire.Student {
	if len(tail) < MinTail {
		return nil
	}
	var best []*wire.Student
	for number, of := range s.found.byNumber {
		if !strings.HasSuffix(number, tail) {
			continue
		}
		for _, p := range of {
			if batch != "" && p.Batch != batch || len(best) == limit && byName(p, best[limit-1]) >= 0 {
				continue
			}
			at, twice := slices.BinarySearchFunc(best, p, byName)
			if !twice {
				best = slices.Insert(best[:min(len(best), limit-1)], at, p)
			}
		}
	}
	out := make([]wire.Student, 0, len(best))
	for _, p := range best {
		out = append(out, *p)
	}
	return out
}

// byName puts shorter names first.
func byName(a, b *wire.Student) int {
	return cmp.Or(cmp.Compare(utf8.RuneCountInString(a.Name), utf8.RuneCountInString(b.Name)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Ref, b.Ref))
}
