// Package spec reads photo standards: what size, file, backdrop, geometry and
// limits a portrait must have, and what to tell a person when it has not.
// Standards are data (TOML), shipped in assets/specs or brought by an
// administrator; this package validates them so strictly that nothing behind it
// has to check again.
//
// It measures nothing and draws nothing.
package spec

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/yunzhao-station/yunzhao/assets/specs"
)

// ErrInvalid is wrapped by every error about the content of a standard.
var ErrInvalid = errors.New("spec: invalid standard")

// maxFileBytes is far above the few kilobytes a standard takes.
const maxFileBytes = 1 << 20

// Range is a window of allowed values. NaN on a side means no limit there.
type Range struct{ Min, Max float64 }

// Open is the range without limits.
func Open() Range { return Range{math.NaN(), math.NaN()} }

// IsOpen tells whether every value is inside.
func (r Range) IsOpen() bool { return math.IsNaN(r.Min) && math.IsNaN(r.Max) }

// Compare is -1 for a value below the window, +1 above it, 0 inside.
func (r Range) Compare(v float64) int {
	switch {
	case v < r.Min:
		return -1
	case v > r.Max:
		return 1
	}
	return 0
}

// Bounds are the limits as optional numbers: nil = none.
func (r Range) Bounds() (lo, hi *float64) {
	if !math.IsNaN(r.Min) {
		lo = &r.Min
	}
	if !math.IsNaN(r.Max) {
		hi = &r.Max
	}
	return lo, hi
}

// Level is what a check may at worst become.
type Level string

// The levels.
const (
	LevelFail   Level = "fail"   // outside Fail: the photo fails
	LevelWarn   Level = "warn"   // outside any limit: a warning, never more
	LevelManual Level = "manual" // a person decides; a measurement is a hint
	LevelOff    Level = "off"    // not part of this standard
)

// Limit is how one check is judged.
type Limit struct {
	Level Level
	Fail  Range // outside: fail (or warn, at LevelWarn)
	Warn  Range // outside: warn
}

// Backdrop is what stands behind the person.
type Backdrop struct {
	Name  string     // "" for the standard's own
	Keep  bool       // leave the backdrop as photographed
	Color color.RGBA // opaque; meaningless with Keep
	// Foreign: the standard does not know this colour; it was asked for all the same.
	Foreign bool
}

// Geometry is the windows that the face must stand in, in output pixels.
type Geometry struct {
	CrownMargin Range // crown → upper edge
	EyeLine     Range // pupils → upper edge
	FaceWidth   Range // cheek to cheek
	HeadHeight  Range // crown → chin
	ChinMargin  Range // chin → lower edge
	Centred     Range // middle of the face − middle of the picture
	// Yield names windows that give way when not all can hold.
	Yield []string
}

// Ids of the checks that Geometry and the file fields give their limits.
const (
	CrownMargin = "crown_margin"
	EyeLine     = "eye_line"
	FaceWidth   = "face_width"
	HeadHeight  = "head_height"
	ChinMargin  = "chin_margin"
	Centred     = "centred"
	Upscale     = "upscale"
	Pixels      = "pixels"
	DPI         = "dpi"
	FileSize    = "file_size"
)

// Window returns the range of a geometry check, open if id is none.
func (g *Geometry) Window(id string) Range {
	if r := g.window(id); r != nil {
		return *r
	}
	return Open()
}

func (g *Geometry) window(id string) *Range {
	switch id {
	case CrownMargin:
		return &g.CrownMargin
	case EyeLine:
		return &g.EyeLine
	case FaceWidth:
		return &g.FaceWidth
	case HeadHeight:
		return &g.HeadHeight
	case ChinMargin:
		return &g.ChinMargin
	case Centred:
		return &g.Centred
	}
	return nil
}

// Yields tells whether window id gives way.
func (g *Geometry) Yields(id string) bool { return slices.Contains(g.Yield, id) }

// Spec is one photo standard. It is immutable once loaded.
type Spec struct {
	ID, Version      string
	TitleZH, TitleEN string
	Source           string // where the numbers come from

	Width, Height  int // pixels
	DPI            int // written into the file
	PrintDPI       int // at which the photo has its true size on paper, mostly DPI
	MinKB, MaxKB   int // 0, 0 = no window
	JPEGMinQuality int // 1–100

	Background Backdrop
	Alternates []Backdrop // by name

	Geometry    Geometry
	AllowRotate bool    // a tilted head may be turned upright in the picture
	MaxUpscale  float64 // output pixels a frame pixel at most

	limits map[string]Limit
}

// Limit returns how check id is judged; a check that is not listed is off.
func (s *Spec) Limit(id string) Limit {
	if l, ok := s.limits[id]; ok {
		return l
	}
	return Limit{Level: LevelOff, Fail: Open(), Warn: Open()}
}

// CheckIDs lists the checks that are not off, sorted.
func (s *Spec) CheckIDs() []string {
	var ids []string
	for id, l := range s.limits {
		if l.Level != LevelOff {
			ids = append(ids, id)
		}
	}
	sort.Strings(ids)
	return ids
}

// SizeWindow is the file size in bytes that holds whether a KB is taken as 1000
// or as 1024 bytes; ok is false when the standard has no window.
func (s *Spec) SizeWindow() (minBytes, maxBytes int, ok bool) {
	return s.MinKB * 1024, s.MaxKB * 1000, s.MaxKB > 0
}

// Keep is the name of the backdrop that stays as it was photographed.
const Keep = "keep"

// usualBackdrops can be asked for with every standard. Blue and red are those
// of the common one-inch and two-inch photos.
var usualBackdrops = []Backdrop{
	{Name: "blue", Color: color.RGBA{0x62, 0x8B, 0xCE, 255}},
	{Name: "grey", Color: color.RGBA{0xF0, 0xF0, 0xF0, 255}},
	{Name: "red", Color: color.RGBA{0xD7, 0x45, 0x32, 255}},
	{Name: "white", Color: color.RGBA{0xFF, 0xFF, 0xFF, 255}},
}

// WithBackground returns the standard with another backdrop: the name of an
// alternate; "keep", which every standard allows because authorities have refused
// photos for a replaced backdrop; or blue, grey, red or white, which is the
// standard's own colour if that is one of these and else Foreign. "" is the
// standard's own.
func (s *Spec) WithBackground(name string) (*Spec, error) {
	if name == "" {
		return s, nil
	}
	c := *s
	if name == Keep {
		c.Background = Backdrop{Name: name, Keep: true}
		return &c, nil
	}
	names := []string{Keep}
	for _, b := range s.Alternates {
		if b.Name == name {
			c.Background = b
			return &c, nil
		}
		names = append(names, b.Name)
	}
	for _, b := range usualBackdrops {
		if b.Name != name {
			if !slices.Contains(names, b.Name) {
				names = append(names, b.Name)
			}
			continue
		}
		if !s.Background.Keep && colourName(s.Background.Color) == name {
			c.Background.Name = name
			return &c, nil
		}
		b.Foreign = true
		c.Background = b
		return &c, nil
	}
	return nil, fmt.Errorf("%w: %s has no background %q; it has %s", ErrInvalid, s.ID, name, strings.Join(names, ", "))
}

// colourName is what a person would call the colour of a backdrop, of the names
// of the usual ones; "" for any other.
func colourName(c color.RGBA) string {
	r, g, b := int(c.R), int(c.G), int(c.B)
	lo, hi := min(r, g, b), max(r, g, b)
	switch {
	case lo >= 250:
		return "white"
	case hi-lo <= 8 && lo >= 128:
		return "grey"
	case b == hi && b-r >= 60:
		return "blue"
	case r == hi && r-max(g, b) >= 80:
		return "red"
	}
	return ""
}

// IDs lists the built-in standards.
func IDs() []string { return specs.IDs() }

// Load reads a built-in standard.
func Load(id string) (*Spec, error) {
	b, err := specs.Read(id)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	s, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("standard %s: %w", id, err)
	}
	return s, nil
}

// LoadFile reads an administrator's own standard.
func LoadFile(path string) (*Spec, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read standard: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read standard %s: %w", path, err)
	}
	if len(b) > maxFileBytes {
		return nil, fmt.Errorf("%w: %s is larger than %d bytes", ErrInvalid, path, maxFileBytes)
	}
	s, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("standard %s: %w", path, err)
	}
	return s, nil
}

// document is the TOML form of a standard.
type document struct {
	ID         string                `toml:"id"`
	Version    string                `toml:"version"`
	TitleZH    string                `toml:"title_zh"`
	TitleEN    string                `toml:"title_en"`
	Source     string                `toml:"source"`
	Width      int64                 `toml:"width"`
	Height     int64                 `toml:"height"`
	DPI        int64                 `toml:"dpi"`
	PrintDPI   *int64                `toml:"print_dpi"`
	MinKB      int64                 `toml:"min_kb"`
	MaxKB      int64                 `toml:"max_kb"`
	MinQuality *int64                `toml:"jpeg_min_quality"`
	Background string                `toml:"background"`
	Alternates map[string]string     `toml:"alternates"`
	Rotate     bool                  `toml:"allow_rotate"`
	Mirror     bool                  `toml:"allow_mirror"`
	MaxUpscale *float64              `toml:"max_upscale"`
	LimitsFrom string                `toml:"limits_from"`
	Geometry   map[string]any        `toml:"geometry"`
	Limits     map[string]limitTable `toml:"limits"`
}

type limitTable struct {
	Level string `toml:"level"`
	Fail  []any  `toml:"fail"`
	Warn  []any  `toml:"warn"`
}

var (
	idPattern    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	checkPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
	colorPattern = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)
)

// Parse reads and validates one standard. The error names every key that is
// wrong and what is allowed there.
func Parse(data []byte) (*Spec, error) { return parse(data, 0) }

// DefaultMaxUpscale is how far a standard that does not say so lets a frame be
// enlarged, in output pixels a frame pixel. A quarter is not seen in print.
const DefaultMaxUpscale = 1.25

// maxDepth bounds how far limits_from may lead.
const maxDepth = 4

func parse(data []byte, depth int) (*Spec, error) {
	var d document
	dec := toml.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrInvalid, explain(err))
	}
	p := problems{}
	s := &Spec{
		ID: d.ID, Version: d.Version, TitleZH: d.TitleZH, TitleEN: d.TitleEN, Source: d.Source,
		AllowRotate: d.Rotate, limits: map[string]Limit{},
	}
	p.check(idPattern.MatchString(d.ID), "id", "%q must be 1 to 40 lower-case letters, digits and dashes", d.ID)
	p.check(d.Version != "" && len(d.Version) <= 40, "version", "must be 1 to 40 characters")
	p.check(d.TitleZH != "", "title_zh", "must not be empty")
	p.check(d.TitleEN != "", "title_en", "must not be empty")
	s.Width = p.number("width", d.Width, 32, 4096)
	s.Height = p.number("height", d.Height, 32, 4096)
	s.DPI = p.number("dpi", d.DPI, 1, 2400)
	if s.PrintDPI = s.DPI; d.PrintDPI != nil {
		s.PrintDPI = p.number("print_dpi", *d.PrintDPI, 1, 2400)
	}
	if d.MinKB != 0 || d.MaxKB != 0 {
		s.MaxKB = p.number("max_kb", d.MaxKB, 2, 20000)
		s.MinKB = p.number("min_kb", d.MinKB, 0, max(d.MaxKB*1000/1024-1, 0))
	}
	s.JPEGMinQuality = 60
	if d.MinQuality != nil {
		s.JPEGMinQuality = p.number("jpeg_min_quality", *d.MinQuality, 1, 100)
	}
	s.MaxUpscale = DefaultMaxUpscale
	if d.MaxUpscale != nil {
		s.MaxUpscale = *d.MaxUpscale
		p.check(s.MaxUpscale >= .1 && s.MaxUpscale <= 4, "max_upscale", "%v is not within 0.1 to 4", s.MaxUpscale)
	}
	s.Background = p.backdrop("background", d.Background)
	names := make([]string, 0, len(d.Alternates))
	for n := range d.Alternates {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		key := "alternates." + n
		p.check(idPattern.MatchString(n) && n != Keep, key, "a name is lower-case letters, digits and dashes, and not keep")
		b := p.backdrop(key, d.Alternates[n])
		b.Name = n
		s.Alternates = append(s.Alternates, b)
	}
	// The key is there to say so in the file: no authority takes a mirrored photo.
	p.check(!d.Mirror, "allow_mirror", "must be false: a saved photo is never mirrored")
	p.geometry(s, d.Geometry)
	if d.LimitsFrom != "" {
		p.inherit(s, d.LimitsFrom, depth)
	}
	p.limits(s, d.Limits)
	s.always()
	if len(p) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrInvalid, strings.Join(p, "; "))
	}
	return s, nil
}

// problems collects what is wrong, so that a person can mend it all at once.
type problems []string

func (p *problems) check(ok bool, key, format string, args ...any) {
	if !ok {
		*p = append(*p, key+": "+fmt.Sprintf(format, args...))
	}
}

func (p *problems) number(key string, v, lo, hi int64) int {
	p.check(v >= lo && v <= hi, key, "%d is not within %d to %d", v, lo, hi)
	return int(min(max(v, lo), hi))
}

func (p *problems) backdrop(key, v string) Backdrop {
	if v == Keep {
		return Backdrop{Keep: true}
	}
	if !colorPattern.MatchString(v) {
		p.check(false, key, `%q must be "#RRGGBB" or "keep"`, v)
		return Backdrop{}
	}
	n, _ := strconv.ParseUint(v[1:], 16, 32) // the pattern guarantees six hex digits
	return Backdrop{Color: color.RGBA{uint8(n >> 16), uint8(n >> 8), uint8(n), 255}}
}

func (p *problems) window(key string, v []any) Range {
	r := Open()
	if v == nil {
		return r
	}
	if len(v) != 2 {
		p.check(false, key, "must be [min, max]; nan leaves a side open")
		return r
	}
	for i, dst := range []*float64{&r.Min, &r.Max} {
		switch x := v[i].(type) {
		case int64:
			*dst = float64(x)
		case float64:
			*dst = x
		default:
			p.check(false, key, "must be [min, max] as numbers")
			return Open()
		}
		// An infinite limit is no limit.
		if math.IsInf(*dst, 2*i-1) {
			*dst = math.NaN()
		}
		p.check(math.IsNaN(*dst) || math.Abs(*dst) <= 1e6, key, "%v is not within ±1000000", *dst)
	}
	p.check(!(r.Min > r.Max), key, "min %v is above max %v", r.Min, r.Max)
	return r
}

// leastWindow is the narrowest window of the geometry, in output pixels: eyes and
// chin are not known better.
const leastWindow = 2

func (p *problems) geometry(s *Spec, m map[string]any) {
	g := &s.Geometry
	for _, id := range []string{CrownMargin, EyeLine, FaceWidth, HeadHeight, ChinMargin, Centred} {
		*g.window(id) = Open()
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		list, isList := m[k].([]any)
		if k == "yield" {
			for _, v := range list {
				id, _ := v.(string)
				p.check(g.window(id) != nil, "geometry.yield", "%v is no key of geometry", v)
				g.Yield = append(g.Yield, id)
			}
			p.check(isList, "geometry.yield", "must be a list of keys of geometry")
			continue
		}
		w := g.window(k)
		if w == nil || !isList {
			p.check(false, "geometry."+k, "must be one of crown_margin, eye_line, face_width, head_height, chin_margin, centred = [min, max], or yield = [keys]")
			continue
		}
		*w = p.window("geometry."+k, list)
	}
	size := map[string]int{CrownMargin: s.Height, EyeLine: s.Height, FaceWidth: s.Width, HeadHeight: s.Height, ChinMargin: s.Height, Centred: s.Width}
	for _, id := range []string{CrownMargin, EyeLine, FaceWidth, HeadHeight, ChinMargin, Centred} {
		r, lo := g.Window(id), 0.
		if id == Centred {
			lo = -float64(s.Width)
		}
		hi := float64(size[id])
		p.check(!(r.Min < lo) && !(r.Min > hi) && !(r.Max < lo) && !(r.Max > hi), "geometry."+id, "must lie within %v to %v output pixels", lo, hi)
		p.check(!(r.Max-r.Min < leastWindow), "geometry."+id, "[%v, %v] is narrower than %v px, which no photo can be held to", r.Min, r.Max, leastWindow)
	}
	// Without a width, a height or two heights there is nothing to size the person by.
	sized := !g.FaceWidth.IsOpen() || !g.HeadHeight.IsOpen() || !g.EyeLine.IsOpen() && !g.CrownMargin.IsOpen()
	p.check(sized, "geometry", "needs face_width, head_height, or both eye_line and crown_margin")
	p.check(!g.EyeLine.IsOpen() || !g.CrownMargin.IsOpen() || !g.ChinMargin.IsOpen(), "geometry", "needs eye_line, crown_margin or chin_margin")
}

func (p *problems) inherit(s *Spec, id string, depth int) {
	if depth >= maxDepth {
		p.check(false, "limits_from", "leads through more than %d standards", maxDepth)
		return
	}
	b, err := specs.Read(id)
	if err != nil {
		p.check(false, "limits_from", "%q is no built-in standard; there are %s", id, strings.Join(specs.IDs(), ", "))
		return
	}
	base, err := parse(b, depth+1)
	if err != nil {
		p.check(false, "limits_from", "%s: %v", id, err)
		return
	}
	for k, l := range base.limits {
		if s.derived(k) {
			l.Fail = s.ownWindow(k)
			// A warning window in another picture's pixels means nothing here.
			l.Warn = Open()
		}
		s.limits[k] = l
	}
	// Windows that the base does not have are judged all the same.
	for _, k := range []string{CrownMargin, EyeLine, FaceWidth, HeadHeight, ChinMargin, Centred} {
		if _, ok := s.limits[k]; !ok && !s.Geometry.Window(k).IsOpen() {
			s.limits[k] = Limit{Level: LevelFail, Fail: s.ownWindow(k), Warn: Open()}
		}
		if s.Geometry.Yields(k) {
			l := s.limits[k]
			l.Level = LevelWarn
			s.limits[k] = l
		}
	}
}

// always adds the checks that no standard does without unless it turns them off
// by name: one person, and all that its own fields promise.
func (s *Spec) always() {
	add := func(id string, r Range, wanted bool) {
		if _, ok := s.limits[id]; ok || !wanted {
			return
		}
		l := Limit{Level: LevelFail, Fail: r, Warn: Open()}
		if s.Geometry.Yields(id) {
			l.Level = LevelWarn
		}
		s.limits[id] = l
	}
	add("single_face", Range{math.NaN(), largestBystander}, true)
	for _, id := range []string{CrownMargin, EyeLine, FaceWidth, HeadHeight, ChinMargin, Centred} {
		add(id, s.ownWindow(id), !s.Geometry.Window(id).IsOpen())
	}
	for _, id := range []string{Upscale, Pixels, DPI} {
		add(id, s.ownWindow(id), true)
	}
	add(FileSize, s.ownWindow(FileSize), s.MaxKB > 0)
}

// largestBystander is the area of a second face over the first's from which on
// there is more than one person in the picture.
const largestBystander = .1

// derived tells whether check id takes its limits from the standard's fields.
func (s *Spec) derived(id string) bool {
	return s.Geometry.window(id) != nil || id == Upscale || id == Pixels || id == DPI || id == FileSize
}

// ownWindow is the fail range of a derived check. File size is in units of 1000
// bytes.
func (s *Spec) ownWindow(id string) Range {
	exact := func(v int) Range { return Range{float64(v), float64(v)} }
	switch id {
	case Upscale:
		return Range{math.NaN(), s.MaxUpscale}
	case Pixels:
		return exact(s.Width * s.Height)
	case DPI:
		return exact(s.DPI)
	case FileSize:
		lo, hi, ok := s.SizeWindow()
		if !ok {
			return Open()
		}
		return Range{float64(lo) / 1000, float64(hi) / 1000}
	}
	return s.Geometry.Window(id)
}

func (p *problems) limits(s *Spec, m map[string]limitTable) {
	ids := make([]string, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	for _, id := range ids {
		t, key := m[id], "limits."+id
		p.check(checkPattern.MatchString(id), key, "a check id is lower-case letters, digits and _")
		l := Limit{Level: LevelFail, Fail: p.window(key+".fail", t.Fail), Warn: p.window(key+".warn", t.Warn)}
		switch lv := Level(t.Level); lv {
		case "":
			if s.Geometry.Yields(id) {
				l.Level = LevelWarn
			}
		case LevelFail, LevelWarn, LevelManual, LevelOff:
			l.Level = lv
		default:
			p.check(false, key+".level", "%q must be fail, warn, manual or off", t.Level)
		}
		if s.derived(id) {
			p.check(t.Fail == nil, key+".fail", "is set by the standard's size, file or geometry fields")
			l.Fail = s.ownWindow(id)
		}
		p.check(!(l.Warn.Min < l.Fail.Min) && !(l.Warn.Max > l.Fail.Max), key+".warn", "must lie within fail")
		s.limits[id] = l
	}
}

// explain turns a decoder's error into one that names the key and the line.
func explain(err error) string {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		var keys []string
		for _, e := range strict.Errors {
			row, _ := e.Position()
			keys = append(keys, fmt.Sprintf("%s: unknown key (line %d)", strings.Join(e.Key(), "."), row))
		}
		return strings.Join(keys, "; ")
	}
	var d *toml.DecodeError
	if errors.As(err, &d) {
		row, col := d.Position()
		msg := strings.TrimPrefix(d.Error(), "toml: ")
		if k := strings.Join(d.Key(), "."); k != "" {
			return fmt.Sprintf("%s: %s (line %d)", k, msg, row)
		}
		return fmt.Sprintf("line %d, column %d: %s", row, col, msg)
	}
	return strings.TrimPrefix(err.Error(), "toml: ")
}
