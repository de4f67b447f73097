//go:build ignore

// Testsum reads the output of go test -json, prints each package's own summary
// line as it ends, everything that a failed test said and why each skipped one
// was skipped, and at the end the counts: N passed, N failed, N skipped. It
// fails when anything failed.
//
//	go test -json ./... | .cache/bin/testsum
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is one line of go test -json (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string // of build-output and build-fail
	Test       string
	Output     string
}

// summary gathers events as they come.
type summary struct {
	out                     io.Writer
	passed, failed, skipped int
	events                  int
	said                    map[[2]string]*strings.Builder // by package and test, until it ends
	failedIn                map[string]bool                // packages with a failed test
}

func main() {
	s := summary{out: os.Stdout, said: map[[2]string]*strings.Builder{}, failedIn: map[string]bool{}}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(s.out, lines.Text()) // go itself speaking
			continue
		}
		s.add(e)
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(s.out, "read test output:", err)
		s.failed++
	}
	fmt.Fprintf(s.out, "%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
	if s.failed > 0 || s.events == 0 {
		os.Exit(1)
	}
}

func (s *summary) add(e event) {
	s.events++
	key := [2]string{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "output":
		if e.Test == "" && (strings.HasPrefix(e.Output, "ok  \t") || strings.HasPrefix(e.Output, "FAIL\t")) {
			fmt.Fprint(s.out, e.Output)
			return
		}
		if s.said[key] == nil {
			s.said[key] = &strings.Builder{}
		}
		s.said[key].WriteString(e.Output)
	case "pass", "fail", "skip":
		s.end(e, key)
	}
}

// end counts one test, or a package that failed without a failed test: it did
// not build, crashed or took too long.
func (s *summary) end(e event, key [2]string) {
	said := s.said[key]
	delete(s.said, key)
	show := false
	switch {
	case e.Test == "":
		if show = e.Action == "fail" && !s.failedIn[e.Package]; show {
			s.failed++
		}
	case e.Action == "pass":
		s.passed++
	case e.Action == "fail":
		s.failed++
		s.failedIn[e.Package] = true
		show = true
	case e.Action == "skip":
		s.skipped++
		show = true
	}
	if show && said != nil {
		fmt.Fprint(s.out, said.String())
	}
}
