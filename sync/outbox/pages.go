package outbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// checkPages reads the page structure of an index file before bbolt does. A
// damaged structure makes bbolt panic on a goroutine of its own, where nothing
// can catch it, or take a page in use for a free one; found here it is an
// [errIndex] like any other damage. Values are not looked at: they carry
// checksums of their own.
//
// The format is that of bbolt 1.x, version 2 (go.etcd.io/bbolt
// internal/common: page.go, meta.go, bucket.go), in the machine's byte order.
func checkPages(path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("look at index: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	m, err := readMetaPages(f)
	if err != nil {
		return err
	}
	w := pageWalk{file: f, meta: m, seen: map[uint64]bool{}}
	if err := w.tree(m.root, nil, nil, 0); err != nil {
		return fmt.Errorf("%w: %w", errIndex, err)
	}
	if err := w.freelist(); err != nil {
		return fmt.Errorf("%w: %w", errIndex, err)
	}
	return nil
}

// Facts of the format.
const (
	pageHeader     = 16 // id 8, flags 2, count 2, overflow 4
	elementSize    = 16 // of a branch and of a leaf
	metaSize       = 64
	metaMagic      = 0xED0CDAED
	metaVersion    = 2
	noFreelist     = ^uint64(0)
	flagBranch     = 0x01
	flagLeaf       = 0x02
	flagFreelist   = 0x10
	flagBucket     = 0x01 // of a leaf's element: its value is a bucket
	bucketSize     = 16   // root 8, sequence 8
	firstPage      = 2    // after the two meta pages
	maxIndexPages  = 1 << 24
	maxIndexDepth  = 64
	maxIndexPageKB = 64
)

var native = binary.NativeEndian

// metaPage is what is used of one of the two meta pages.
type metaPage struct {
	pageSize                    int64
	root, freelist, pages, txid uint64
}

// readMetaPages picks the newer one of those that are whole, as bbolt does.
func readMetaPages(f io.ReaderAt) (metaPage, error) {
	var best metaPage
	found := false
	read := func(at int64) bool {
		b := make([]byte, pageHeader+metaSize)
		if _, err := f.ReadAt(b, at); err != nil {
			return false
		}
		b = b[pageHeader:]
		sum := fnv.New64a()
		_, _ = sum.Write(b[:metaSize-8])
		if native.Uint32(b) != metaMagic || native.Uint32(b[4:]) != metaVersion || native.Uint64(b[56:]) != sum.Sum64() {
			return false
		}
		m := metaPage{
			pageSize: int64(native.Uint32(b[8:])), root: native.Uint64(b[16:]),
			freelist: native.Uint64(b[32:]), pages: native.Uint64(b[40:]), txid: native.Uint64(b[48:]),
		}
		if m.pageSize < 512 || m.pageSize > maxIndexPageKB<<10 || m.pages > maxIndexPages {
			return false
		}
		if !found || m.txid > best.txid {
			best, found = m, true
		}
		return true
	}
	// The second one stands where the first says how large a page is, or, when
	// the first is damaged, at the size of a page of this machine.
	if read(0) {
		read(best.pageSize)
	} else {
		read(int64(os.Getpagesize()))
	}
	if !found {
		return metaPage{}, fmt.Errorf("%w: both meta pages are damaged", errIndex)
	}
	return best, nil
}

// pageWalk follows every page that is in use.
type pageWalk struct {
	file io.ReaderAt
	meta metaPage
	seen map[uint64]bool
}

// page reads one page with its overflow.
func (w *pageWalk) page(id uint64) (b []byte, flags uint16, count int, err error) {
	if id < firstPage || id >= w.meta.pages {
		return nil, 0, 0, fmt.Errorf("page %d of %d", id, w.meta.pages)
	}
	if w.seen[id] {
		return nil, 0, 0, fmt.Errorf("page %d is used twice", id)
	}
	head := make([]byte, pageHeader)
	at := int64(id) * w.meta.pageSize
	if _, err := w.file.ReadAt(head, at); err != nil {
		return nil, 0, 0, fmt.Errorf("page %d: %w", id, err)
	}
	overflow := uint64(native.Uint32(head[12:]))
	if native.Uint64(head) != id || id+overflow >= w.meta.pages {
		return nil, 0, 0, fmt.Errorf("page %d is not what it should be", id)
	}
	b = make([]byte, int64(overflow+1)*w.meta.pageSize)
	if _, err := w.file.ReadAt(b, at); err != nil {
		return nil, 0, 0, fmt.Errorf("page %d: %w", id, err)
	}
	for i := range overflow + 1 {
		if w.seen[id+i] {
			return nil, 0, 0, fmt.Errorf("page %d is used twice", id+i)
		}
		w.seen[id+i] = true
	}
	return b, native.Uint16(head[8:]), int(native.Uint16(head[10:])), nil
}

// tree walks a tree whose keys are at least low and below high; nil = open.
func (w *pageWalk) tree(id uint64, low, high []byte, depth int) error {
	if depth > maxIndexDepth {
		return errors.New("the tree is too deep")
	}
	b, flags, count, err := w.page(id)
	if err != nil {
		return err
	}
	switch flags {
	case flagBranch:
		return w.branch(b, count, low, high, depth)
	case flagLeaf:
		return w.leaf(b, count, low, high, depth, true)
	}
	return fmt.Errorf("page %d has kind %#x", id, flags)
}

// slice is n bytes from at, when the page has them.
func slice(b []byte, at, n uint64) ([]byte, error) {
	if at > uint64(len(b)) || n > uint64(len(b))-at {
		return nil, errors.New("an element reaches beyond its page")
	}
	return b[at : at+n], nil
}

// inOrder checks a key against the one before it and the bounds.
func inOrder(key, before, low, high []byte, first bool) error {
	if !first && bytes.Compare(before, key) >= 0 || low != nil && bytes.Compare(key, low) < 0 || high != nil && bytes.Compare(key, high) >= 0 {
		return errors.New("keys are out of order")
	}
	return nil
}

func (w *pageWalk) branch(b []byte, count int, low, high []byte, depth int) error {
	if count == 0 || pageHeader+count*elementSize > len(b) {
		return errors.New("a branch page has a wrong count")
	}
	keys := make([][]byte, count)
	for i := range count {
		at := pageHeader + i*elementSize
		key, err := slice(b, uint64(at)+uint64(native.Uint32(b[at:])), uint64(native.Uint32(b[at+4:])))
		if err != nil {
			return err
		}
		keys[i] = key
		if err := inOrder(key, keys[max(i-1, 0)], low, high, i == 0); err != nil {
			return err
		}
	}
	for i, key := range keys {
		next := high
		if i+1 < count {
			next = keys[i+1]
		}
		if err := w.tree(native.Uint64(b[pageHeader+i*elementSize+8:]), key, next, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *pageWalk) leaf(b []byte, count int, low, high []byte, depth int, buckets bool) error {
	if pageHeader+count*elementSize > len(b) {
		return errors.New("a leaf page has a wrong count")
	}
	var before []byte
	for i := range count {
		at := pageHeader + i*elementSize
		pos := uint64(at) + uint64(native.Uint32(b[at+4:]))
		key, err := slice(b, pos, uint64(native.Uint32(b[at+8:])))
		if err != nil {
			return err
		}
		value, err := slice(b, pos+uint64(len(key)), uint64(native.Uint32(b[at+12:])))
		if err != nil {
			return err
		}
		if err := inOrder(key, before, low, high, i == 0); err != nil {
			return err
		}
		before = key
		switch native.Uint32(b[at:]) {
		case 0:
		case flagBucket:
			if !buckets {
				return errors.New("a bucket inside an inline bucket")
			}
			if err := w.bucket(value, depth); err != nil {
				return err
			}
		default:
			return errors.New("an element of an unknown kind")
		}
	}
	return nil
}

// bucket walks the tree of a bucket, or the leaf that small ones have inside
// their value.
func (w *pageWalk) bucket(value []byte, depth int) error {
	if len(value) < bucketSize {
		return errors.New("a bucket is cut off")
	}
	if root := native.Uint64(value); root != 0 {
		return w.tree(root, nil, nil, depth+1)
	}
	b := value[bucketSize:]
	if len(b) < pageHeader || native.Uint16(b[8:]) != flagLeaf {
		return errors.New("an inline bucket is no leaf")
	}
	return w.leaf(b, int(native.Uint16(b[10:])), nil, nil, depth+1, false)
}

// freelist checks the list that an index of an older program keeps: no page in
// use may be on it.
func (w *pageWalk) freelist() error {
	if w.meta.freelist == noFreelist {
		return nil
	}
	b, flags, count, err := w.page(w.meta.freelist)
	if err != nil {
		return err
	}
	if flags != flagFreelist {
		return errors.New("the list of free pages is none")
	}
	b = b[pageHeader:]
	if count == 0xffff { // more than fit into the header's count
		if len(b) < 8 || native.Uint64(b) > maxIndexPages {
			return errors.New("the list of free pages has a wrong count")
		}
		count, b = int(native.Uint64(b)), b[8:]
	}
	if count*8 > len(b) {
		return errors.New("the list of free pages has a wrong count")
	}
	for i := range count {
		if id := native.Uint64(b[i*8:]); id < firstPage || id >= w.meta.pages || w.seen[id] {
			return errors.New("the list of free pages names a page in use")
		}
	}
	return nil
}
