// Package powercut plays power cuts for tests. [Record] runs a program under
// ptrace and writes down every change it asks the kernel to make below one
// directory, with what it said on its standard output in between. [Log.Image]
// then builds, for a cut after any of these calls, a disk that a real cut could
// have left: what was fsynced is there, and of the rest each 512-byte sector,
// each change of a file's size and each change of a directory is there or not.
//
// The program itself is not changed: databases and libraries with files of
// their own are recorded like everything else. What the model leaves out: disks
// that lose what they acknowledged, and changes made through writable memory
// maps. It is for tests alone and knows nothing of what the files mean.
package powercut

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// sector is what a disk writes whole.
const sector = 512

type kind int

const (
	opLink kind = iota // a new name for a new inode
	opUnlink
	opRename
	opWrite
	opTruncate
	opSync // of a file or a directory
	opSay
)

// op is one change, or one fsync, in the order in which the kernel answered.
type op struct {
	kind   kind
	inode  int
	dir    int // of the name that is linked, unlinked or renamed from
	name   string
	toDir  int // rename
	toName string
	at     int64
	size   int64
	data   []byte
	upTo   int // sync: everything recorded before this index is covered
	text   string
}

// Log is a recording.
type Log struct {
	ops    []op
	inodes []bool // by number: is it a directory? 0 is the root
}

// Len is how many moments for a cut the recording has, beside the one before
// everything.
func (l *Log) Len() int { return len(l.ops) }

// Said is what the program had written to its standard output by cut.
func (l *Log) Said(cut int) string {
	var s []byte
	for _, o := range l.ops[:cut] {
		if o.kind == opSay {
			s = append(s, o.text...)
		}
	}
	return string(s)
}

// Image is the content of a disk.
type Image struct {
	files map[int][]byte         // by inode
	names map[int]map[string]int // by directory inode
	log   *Log
}

// Image builds a disk after a power cut that follows the first cut operations.
// What was not durable is kept or lost as r decides.
func (l *Log) Image(cut int, r *rand.Rand) *Image {
	im := &Image{files: map[int][]byte{}, names: map[int]map[string]int{0: {}}, log: l}
	durable := make(map[int]int, len(l.inodes)) // inode → operations before this index are on the disk
	for _, o := range l.ops[:cut] {
		if o.kind == opSync {
			durable[o.inode] = max(durable[o.inode], o.upTo)
		}
	}
	keepNames := l.namesKept(cut, durable, r)
	luck := map[int]int{} // how the unsynced data of each file fares
	for i, o := range l.ops[:cut] {
		switch o.kind {
		case opWrite, opTruncate:
			if _, ok := luck[o.inode]; !ok {
				luck[o.inode] = r.IntN(fates)
			}
			im.change(o, i < durable[o.inode], luck[o.inode], r)
		case opLink, opUnlink, opRename:
			if keepNames[i] {
				im.rename(o)
			}
		case opSync, opSay:
		}
	}
	return im
}

// namesKept decides about every change of a directory: those that are durable
// are kept. The others fare as on a file system with an ordered journal, a
// prefix of them is there, or as POSIX allows, each for itself.
func (l *Log) namesKept(cut int, durable map[int]int, r *rand.Rand) map[int]bool {
	kept := map[int]bool{}
	var open []int
	for i, o := range l.ops[:cut] {
		switch o.kind {
		case opLink, opUnlink:
			kept[i] = i < durable[o.dir]
		case opRename:
			kept[i] = i < durable[o.dir] && i < durable[o.toDir]
		case opWrite, opTruncate, opSync, opSay:
			continue
		}
		if !kept[i] {
			open = append(open, i)
		}
	}
	ordered := r.IntN(2) == 0
	prefix := r.IntN(len(open) + 1)
	for n, i := range open {
		kept[i] = ordered && n < prefix || !ordered && r.IntN(2) == 0
	}
	return kept
}

// What can become of the unsynced data of a file.
const (
	fateLost  = iota // nothing of it is there
	fateWhole        // all of it is
	fateZeros        // its size is, its bytes are not
	fateTorn         // each sector for itself
	fates
)

func (im *Image) change(o op, durable bool, fate int, r *rand.Rand) {
	if durable {
		fate = fateWhole
	}
	if fate == fateLost || fate == fateTorn && o.kind == opTruncate && r.IntN(2) == 0 {
		return
	}
	b := im.files[o.inode]
	grow := func(size int64) {
		if n := size - int64(len(b)); n > 0 {
			b = append(b, make([]byte, n)...)
		}
	}
	if o.kind == opTruncate {
		grow(o.size)
		im.files[o.inode] = b[:o.size]
		return
	}
	end := o.at + int64(len(o.data))
	switch fate {
	case fateZeros:
		grow(end)
	case fateWhole:
		grow(end)
		copy(b[o.at:], o.data)
	case fateTorn:
		for at := o.at; at < end; {
			next := min(at/sector*sector+sector, end)
			if r.IntN(2) == 0 {
				grow(next)
				copy(b[at:next], o.data[at-o.at:next-o.at])
			}
			at = next
		}
	}
	im.files[o.inode] = b
}

func (im *Image) rename(o op) {
	dir := func(inode int) map[string]int {
		if im.names[inode] == nil {
			im.names[inode] = map[string]int{}
		}
		return im.names[inode]
	}
	switch o.kind {
	case opLink:
		dir(o.dir)[o.name] = o.inode
	case opUnlink:
		delete(dir(o.dir), o.name)
	case opRename:
		if dir(o.dir)[o.name] == o.inode {
			delete(dir(o.dir), o.name)
		}
		dir(o.toDir)[o.toName] = o.inode
	case opWrite, opTruncate, opSync, opSay:
	}
}

// WriteTo puts the image into an empty directory.
func (im *Image) WriteTo(dir string) error {
	if err := im.write(0, dir); err != nil {
		return fmt.Errorf("powercut: write image: %w", err)
	}
	return nil
}

func (im *Image) write(inode int, dir string) error {
	for name, of := range im.names[inode] {
		path := filepath.Join(dir, name)
		if im.log.inodes[of] {
			if err := os.Mkdir(path, 0o700); err != nil {
				return err
			}
			if err := im.write(of, path); err != nil {
				return err
			}
			continue
		}
		if err := os.WriteFile(path, im.files[of], 0o600); err != nil {
			return err
		}
	}
	return nil
}
