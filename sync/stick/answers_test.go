package stick

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/yunzhao-station/yunzhao/sync/wire"
)

var testKey = bytes.Repeat([]byte{7}, 32)

func answers(t testing.TB, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	err := WriteAnswers(&b, testKey, "st-1", func(yield func(wire.Signed) error) error {
		for i := range n {
			if err := yield(wire.Signed{Type: wire.TypeAck, Payload: fmt.Appendf(nil, "object %d of a student called 张三", i)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read returns how many objects came, checked for their order.
func read(t testing.TB, b []byte, key []byte, station string) (int, error) {
	t.Helper()
	n := 0
	err := ReadAnswers(bytes.NewReader(b), key, station, func(s wire.Signed) error {
		if !strings.HasPrefix(string(s.Payload), fmt.Sprintf("object %d ", n)) {
			t.Fatalf("object %d is %q", n, s.Payload)
		}
		n++
		return nil
	})
	return n, err
}

func TestAnswers(t *testing.T) {
	b := answers(t, 5)
	if n, err := read(t, b, testKey, "st-1"); n != 5 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	if bytes.Contains(b, []byte("张三")) || bytes.Contains(b, []byte("object")) {
		t.Error("the answers can be read by anybody")
	}
	if n, err := read(t, answers(t, 0), testKey, "st-1"); n != 0 || err != nil {
		t.Errorf("nothing to tell: %d %v", n, err)
	}
	for name, tc := range map[string]struct {
		b       []byte
		key     []byte
		station string
		want    error
	}{
		"another station's":    {b, testKey, "st-2", ErrAnswers},
		"another key":          {b, bytes.Repeat([]byte{8}, 32), "st-1", ErrAnswers},
		"empty":                {nil, testKey, "st-1", ErrAnswers},
		"text":                 {[]byte("hello, this is not what you think it is"), testKey, "st-1", ErrAnswers},
		"something after them": {append(bytes.Clone(b), 0), testKey, "st-1", ErrAnswers},
		"a length that lies":   {append(bytes.Clone(b[:24]), 0xff, 0xff, 0xff, 0xff), testKey, "st-1", ErrAnswers},
	} {
		if _, err := read(t, tc.b, tc.key, tc.station); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Records of two files cannot be mixed, nor one left out.
	one := answers(t, 1)
	record := (len(answers(t, 2)) - len(one))
	for name, mixed := range map[string][]byte{
		"of another file": append(bytes.Clone(one[:24]), b[24:]...),
		"left out":        append(bytes.Clone(b[:24]), b[24+record:]...),
		"doubled":         append(bytes.Clone(b[:24+record]), b[24:]...),
	} {
		if _, err := read(t, mixed, testKey, "st-1"); !errors.Is(err, ErrAnswers) {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Run("an error of the reader's own ends it", func(t *testing.T) {
		own := errors.New("own")
		if err := ReadAnswers(bytes.NewReader(b), testKey, "st-1", func(wire.Signed) error { return own }); !errors.Is(err, own) {
			t.Error(err)
		}
	})
}

func TestTornAnswers(t *testing.T) {
	b := answers(t, 3)
	last := 0
	for n := range b {
		got, err := read(t, b[:n], testKey, "st-1")
		if n < 24 && !errors.Is(err, ErrAnswers) || n >= 24 && !errors.Is(err, ErrTorn) {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
		if got < last {
			t.Fatalf("%d of %d bytes give %d objects, fewer gave %d", n, len(b), got, last)
		}
		last = got
	}
	if last != 3 {
		t.Errorf("before the last record %d objects", last)
	}
}

func TestEveryFlippedBitOfAnswersIsFound(t *testing.T) {
	b := answers(t, 2)
	for i := range 8 * len(b) {
		b[i/8] ^= 1 << (i % 8)
		if _, err := read(t, b, testKey, "st-1"); !errors.Is(err, ErrAnswers) && !errors.Is(err, ErrTorn) {
			t.Fatalf("bit %d: %v", i, err)
		}
		b[i/8] ^= 1 << (i % 8)
	}
}

func FuzzReadAnswers(f *testing.F) {
	b := answers(f, 2)
	f.Add(b)
	f.Add(b[:30])
	f.Add([]byte(answersMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		err := ReadAnswers(bytes.NewReader(b), testKey, "st-1", func(wire.Signed) error { return nil })
		if err != nil && !errors.Is(err, ErrAnswers) && !errors.Is(err, ErrTorn) {
			t.Fatalf("untyped error %v", err)
		}
	})
}
