//go:build ignore

// make-han writes initials.txt, simplified.txt and legacy.txt from the Unihan
// database as Debian's package unicode-data installs it:
//
//	go run make-han.go [/usr/share/unicode]
package main

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/unicode/norm"
)

func main() {
	dir := "/usr/share/unicode"
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	initials(dir)
	simplified(dir)
	legacy()
}

// each calls f with every line of a file of the database.
func each(dir, name string, f func(r rune, field, value string)) {
	file, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(bzip2.NewReader(file))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		part := strings.Split(lines.Text(), "\t")
		if len(part) != 3 || !strings.HasPrefix(part[0], "U+") {
			continue
		}
		f(parse(part[0]), part[1], part[2])
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}

func parse(s string) rune {
	n, err := strconv.ParseInt(strings.TrimPrefix(s, "U+"), 16, 32)
	if err != nil {
		log.Fatal(err)
	}
	return rune(n)
}

func initials(dir string) {
	found := map[byte][]rune{}
	add := func(r rune, reading string) {
		plain := norm.NFD.String(reading)
		if plain == "" || plain[0] < 'a' || plain[0] > 'z' {
			return
		}
		if !slices.Contains(found[plain[0]], r) {
			found[plain[0]] = append(found[plain[0]], r)
		}
	}
	each(dir, "Unihan_Readings.txt.bz2", func(r rune, field, value string) {
		switch field {
		case "kMandarin":
			for _, s := range strings.Fields(value) {
				add(r, s)
			}
		case "kXHC1983": // 0123.040:shàn
			for _, s := range strings.Fields(value) {
				if _, reading, ok := strings.Cut(s, ":"); ok {
					add(r, reading)
				}
			}
		}
	})
	var b bytes.Buffer
	for c := byte('a'); c <= 'z'; c++ {
		if l := found[c]; len(l) > 0 {
			slices.Sort(l)
			fmt.Fprintf(&b, "%c%s\n", c, string(l))
		}
	}
	write("initials.txt", b.Bytes())
}

func simplified(dir string) {
	var pairs []string
	each(dir, "Unihan_Variants.txt.bz2", func(r rune, field, value string) {
		if field != "kSimplifiedVariant" {
			return
		}
		var to []rune
		for _, s := range strings.Fields(value) {
			s, _, _ = strings.Cut(s, "<")
			to = append(to, parse(s))
		}
		if slices.Contains(to, r) { // a simplified character itself
			return
		}
		pairs = append(pairs, string([]rune{r, to[0]}))
	})
	slices.Sort(pairs)
	write("simplified.txt", []byte(strings.Join(pairs, "\n")+"\n"))
}

// legacy: GBK put 80 characters at FE50–FEA0 for which Unicode had no place yet
// and which systems kept at U+E815–E864. Where GB 18030 has them now is told by
// its decoder, and for those that it still keeps there by table D.1 of
// GB 18030-2022.
func legacy() {
	later := map[rune]rune{
		0xE816: 0x20087, 0xE817: 0x20089, 0xE818: 0x200CC, 0xE831: 0x215D7, 0xE83B: 0x2298F, 0xE855: 0x241FE,
		0xE81E: 0x9FB4, 0xE826: 0x9FB5, 0xE82B: 0x9FB6, 0xE82C: 0x9FB7, 0xE832: 0x9FB8, 0xE843: 0x9FB9, 0xE854: 0x9FBA, 0xE864: 0x9FBB,
	}
	var b bytes.Buffer
	decoder := simplifiedchinese.GB18030.NewDecoder()
	from := rune(0xE815)
	for low := 0x50; low <= 0xA0; low++ {
		if low == 0x7F {
			continue
		}
		out, err := decoder.Bytes([]byte{0xFE, byte(low)})
		if err != nil {
			log.Fatal(err)
		}
		to := []rune(string(out))[0]
		if to == from || to == '\uFFFD' {
			to = later[from]
		}
		if want, ok := later[from]; ok && to != want {
			log.Fatalf("%U is %U, not %U", from, to, want)
		}
		if to == 0 {
			log.Fatalf("%U has no place", from)
		}
		b.WriteString(string([]rune{from, to}) + "\n")
		from++
	}
	write("legacy.txt", b.Bytes())
}

func write(name string, data []byte) {
	if err := os.WriteFile(name, data, 0o644); err != nil {
		log.Fatal(err)
	}
}
