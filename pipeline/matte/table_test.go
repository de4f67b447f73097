package matte_test

import (
	"cmp"
	"flag"
	"fmt"
	"image/color"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"

	"github.com/yunzhao-station/yunzhao/pipeline/infer"
	"github.com/yunzhao-station/yunzhao/pipeline/matte"
	"github.com/yunzhao-station/yunzhao/pipeline/matte/mattetest"
)

var (
	table = flag.Bool("matte-table", false, "print the accuracy table over all scenes")
	rival = flag.String("matte-grabcut", "^held-out/[a-z]+/(glasses|whitehair)$", "compare with GrabCut on the scenes whose set and name match this expression (seconds a scene); empty: on none")
	only  = flag.String("matte-only", "", "restrict the table to scenes whose set and name match this expression")
	ask   = flag.Bool("matte-people", true, "ask the network that finds people, as a station does")
	dump  = flag.String("matte-dump", "", "write alpha and composites to this folder: of the table's ten worst scenes, of every scene with -matte-only")
)

var lightBlue = color.RGBA{100, 197, 255, 255}

// targets are the colours that presets put behind the person.
var targets = [...]color.RGBA{{255, 255, 255, 255}, {67, 142, 219, 255}, {215, 69, 50, 255}, {240, 240, 240, 255}}

// shared is where portraits that may not be committed are kept.
func shared() string {
	if dir := os.Getenv("YUNZHAO_SHARED"); dir != "" {
		return dir
	}
	return "../../../shared"
}

// person loads a cut-out, from the project's own assets or the shared ones.
func person(t testing.TB, name string) *mattetest.Person {
	t.Helper()
	own := filepath.Join("../../assets/people", name+".png")
	if p, err := mattetest.Load(name, own); err == nil {
		return p
	}
	file := filepath.Join(shared(), "portraits", name+".png")
	p, err := mattetest.Load(name, file)
	if err != nil {
		t.Skipf("no cut-out of %q: set YUNZHAO_SHARED to a folder that holds portraits/%s.png (%v)", name, name, err)
	}
	return p
}

// visit is one person's picture in a booth.
type visit struct {
	who  *mattetest.Person // nil: look, drawn when it is their turn
	look mattetest.Look
	cam  mattetest.Camera
	bare bool   // without the plate
	note string // what is unusual
	seed uint64
}

// booth is a wall before a camera and who comes to it.
type booth struct {
	set    string // the group of scenes that a mean is taken over
	wall   mattetest.Backdrop
	cam    mattetest.Camera
	seed   uint64
	visits []visit
}

// The sets of the table. The method was tuned on the scenes of dev and plain;
// heldOut has other people, walls, cameras and seeds, and was only measured;
// fresh was made after the last change to the method and measured once.
const (
	setDev     = "dev"
	setHeldOut = "held-out"
	setPlain   = "plain"    // a camera without sharpening, denoising and 4:2:2
	setShadow  = "shadow"   // deeper shadows than a booth has
	setBare    = "no-plate" // the fallback
	setFresh   = "fresh"    // made after the method was done
	setBlind   = "blind"    // made before its last change, looked at after it
)

var (
	black = color.RGBA{24, 22, 24, 255}
	brown = color.RGBA{92, 62, 44, 255}
	fair  = color.RGBA{238, 200, 176, 255}
	tan   = color.RGBA{206, 158, 124, 255}
	deep  = color.RGBA{104, 70, 54, 255}
)

func tableBooths(t testing.TB) []booth {
	out := devBooths(t)
	out = append(out, heldOutBooths(t)...)
	out = append(out, freshBooths(t)...)
	out = append(out, blindBooths(t)...)
	out = append(out, plainBooths(t)...)
	return append(out, bareBooths(t)...)
}

// devBooths are what the method was developed on: a web camera with all it does.
func devBooths(t testing.TB) []booth {
	student, astronaut := person(t, "student"), person(t, "astronaut")
	white, blue, grey, green := mattetest.White, mattetest.Blue, mattetest.Grey, mattetest.Green
	white.Creases, grey.Creases = 4, 3
	soft, crisp := mattetest.Webcam, mattetest.Webcam
	soft.Noise, soft.Sharpen, soft.Denoise = 3.5, .5, 3
	crisp.Noise, crisp.Sharpen, crisp.Denoise, crisp.Exposure, crisp.Tint = 2.5, 1, 2, -.03, -.01
	draw := func(l mattetest.Look, name string) visit {
		l.Name = name
		return visit{look: l}
	}
	lookBob := mattetest.Look{Skin: fair, Hair: mattetest.Bob, Dye: black, Cloth: color.RGBA{34, 44, 82, 255}, Collar: true, Seed: 1}
	lookWhite := mattetest.Look{Skin: fair, Hair: mattetest.Short, Dye: black, Cloth: color.RGBA{228, 228, 222, 255}, Build: 1.1, Seed: 2}
	lookLong := mattetest.Look{Skin: tan, Hair: mattetest.Long, Dye: brown, Cloth: color.RGBA{206, 200, 190, 255}, Seed: 3}
	lookFrizz := mattetest.Look{Skin: deep, Hair: mattetest.Frizzy, Dye: black, Cloth: color.RGBA{182, 60, 48, 255}, Seed: 4}
	lookArms := mattetest.Look{Skin: tan, Hair: mattetest.Short, Dye: black, Cloth: color.RGBA{230, 228, 220, 255}, Second: color.RGBA{40, 60, 110, 255}, Pattern: mattetest.Striped, Pose: mattetest.ArmsOut, Build: .95, Seed: 5}
	lookBlue := mattetest.Look{Skin: fair, Hair: mattetest.Bun, Dye: brown, Cloth: color.RGBA{76, 128, 186, 255}, Seed: 6}
	lookDark := mattetest.Look{Skin: deep, Hair: mattetest.Short, Dye: black, Cloth: color.RGBA{30, 30, 34, 255}, Pose: mattetest.ArmsOut, Build: .9, Seed: 7}
	lookBald := mattetest.Look{Skin: tan, Hair: mattetest.Bald, Dye: black, Cloth: color.RGBA{138, 138, 142, 255}, Glasses: true, Seed: 8}
	lookOld := mattetest.Look{Skin: fair, Hair: mattetest.Frizzy, Dye: color.RGBA{172, 170, 168, 255}, Cloth: color.RGBA{60, 64, 72, 255}, Seed: 9}
	lookHand := mattetest.Look{Skin: fair, Hair: mattetest.Long, Dye: black, Cloth: color.RGBA{120, 40, 60, 255}, Pose: mattetest.HandUp, Build: .95, Seed: 10}
	lookChild := mattetest.Look{Skin: tan, Hair: mattetest.Bun, Dye: black, Cloth: color.RGBA{232, 190, 70, 255}, Build: .75, Seed: 11}
	lookCheck := mattetest.Look{Skin: fair, Hair: mattetest.Short, Dye: brown, Cloth: color.RGBA{160, 50, 50, 255}, Second: color.RGBA{220, 214, 204, 255}, Pattern: mattetest.Checked, Glasses: true, Collar: true, Seed: 12}
	lookGreen := mattetest.Look{Skin: tan, Hair: mattetest.Long, Dye: black, Cloth: color.RGBA{72, 150, 84, 255}, Seed: 13}
	booths := []booth{
		{set: setDev, wall: white, cam: soft, seed: 101, visits: []visit{
			{who: student},
			{who: student.Shirt("whiteshirt", color.RGBA{236, 235, 232, 255})},
			{who: astronaut},
			draw(lookBob, "bob"),
			draw(lookWhite, "whiteclothes"),
			draw(lookLong, "long"),
		}},
		{set: setDev, wall: blue, cam: crisp, seed: 102, visits: []visit{
			{who: student.Strands(160, 1)},
			{who: astronaut.Recolour("dark", [3]float64{.5, .42, .4}, [3]float64{.3, .25, .25})},
			draw(lookFrizz, "frizzy"),
			draw(lookArms, "arms"),
			draw(lookBlue, "blueclothes"),
			draw(lookHand, "hand"),
		}},
		{set: setDev, wall: grey, cam: soft, seed: 103, visits: []visit{
			{who: student.Shirt("greyshirt", color.RGBA{142, 143, 146, 255})},
			{who: astronaut},
			draw(lookDark, "arms"),
			draw(lookBald, "bald-grey"),
			draw(lookOld, "frizzy"),
			draw(lookHand, "hand"),
		}},
		{set: setDev, wall: green, cam: crisp, seed: 104, visits: []visit{
			{who: student.Strands(160, 2)},
			{who: astronaut},
			draw(lookChild, "child"),
			draw(lookCheck, "checked"),
			draw(lookGreen, "greenclothes"),
			draw(lookBob, "bob"),
		}},
	}
	for i := range booths {
		b := &booths[i]
		for k := range uint64(4) { // others in nearly the wall's own colour
			l := mattetest.RandomLook(900+10*uint64(i)+k, b.wall.Colour)
			if k < 3 {
				l.Pattern, l.Cloth = mattetest.Plain, near(b.wall.Colour, [...]float64{.95, 1.04, .9}[k])
			}
			b.visits = append(b.visits, visit{look: l})
		}
	}
	return place(booths)
}

// near is a colour a little off a wall's.
func near(wall [3]float64, k float64) color.RGBA {
	return color.RGBA{uint8(min(wall[0]*k, 255)), uint8(min(wall[1]*k*1.01, 255)), uint8(min(wall[2]*k*.98, 255)), 255}
}

// heldOutBooths are what nothing was tuned on.
func heldOutBooths(t testing.TB) []booth {
	glasses, old := person(t, "glasses"), person(t, "whitehair")
	walls := []mattetest.Backdrop{
		{Name: "white", Colour: [3]float64{224, 226, 224}, Slope: .16, Texture: .01, Creases: 5},
		{Name: "blue", Colour: [3]float64{96, 152, 214}, Slope: .08, Texture: .006, Creases: 2},
		{Name: "grey", Colour: [3]float64{168, 168, 164}, Slope: .15, Texture: .014, Creases: 4},
		{Name: "green", Colour: [3]float64{86, 172, 98}, Slope: .1, Texture: .01, Creases: 3},
	}
	cams := [4]mattetest.Camera{mattetest.Webcam, mattetest.Webcam, mattetest.Webcam, mattetest.Webcam}
	cams[0].Noise, cams[0].Sharpen, cams[0].Exposure = 2.6, .9, -.03
	cams[1].Noise, cams[1].Denoise, cams[1].Tint = 3.4, 3, -.015
	cams[2].Noise, cams[2].Sharpen, cams[2].Denoise = 3, .6, 2
	cams[3].Noise, cams[3].Sharpen, cams[3].Exposure = 2.8, .8, -.02
	var out []booth
	for i, wall := range walls {
		b := booth{set: setHeldOut, wall: wall, cam: cams[i], seed: uint64(500 + i)}
		b.visits = append(b.visits, visit{who: glasses}, visit{who: old})
		for k := range uint64(4) {
			l := mattetest.RandomLook(700+10*uint64(i)+k, wall.Colour)
			b.visits = append(b.visits, visit{look: l})
		}
		out = append(out, b)
	}
	return place(out)
}

// freshBooths are what nobody had looked at when the method was done: the four
// real people in other hair and clothes, and people drawn from other seeds.
func freshBooths(t testing.TB) []booth {
	const (
		firstLook = 4200
		firstWall = 870
	)
	known := []string{"student", "astronaut", "glasses", "whitehair"}
	walls := []mattetest.Backdrop{
		{Name: "white", Colour: [3]float64{238, 234, 226}, Slope: .14, Texture: .008, Creases: 3},
		{Name: "blue", Colour: [3]float64{64, 128, 196}, Slope: .11, Texture: .009, Creases: 3},
		{Name: "grey", Colour: [3]float64{138, 140, 144}, Slope: .1, Texture: .012, Creases: 2},
		{Name: "green", Colour: [3]float64{78, 158, 92}, Slope: .13, Texture: .007, Creases: 4},
	}
	var out []booth
	for i, wall := range walls {
		rng := rand.New(rand.NewPCG(firstWall, uint64(i)))
		cam := mattetest.Webcam
		cam.Noise, cam.Sharpen, cam.Denoise = 2.5+rng.Float64(), .5+.5*rng.Float64(), 2+rng.Float64()
		cam.Exposure, cam.Tint = .06*rng.Float64()-.03, .03*rng.Float64()-.015
		b := booth{set: setFresh, wall: wall, cam: cam, seed: uint64(firstWall + i)}
		for k := range 2 {
			name := known[(i+2*k+rng.IntN(2))%len(known)]
			var skin, hair [3]float64
			for ch := range hair {
				skin[ch], hair[ch] = .7+.3*rng.Float64(), .4+.6*rng.Float64()
			}
			cloth := color.RGBA{uint8(30 + rng.IntN(206)), uint8(30 + rng.IntN(206)), uint8(30 + rng.IntN(206)), 255}
			who := person(t, name).Recolour("hair", skin, hair).Shirt("shirt", cloth)
			if k == 1 {
				who = who.Strands(80+rng.IntN(120), rng.Uint64())
			}
			b.visits = append(b.visits, visit{who: who})
		}
		for k := range uint64(4) {
			b.visits = append(b.visits, visit{look: mattetest.RandomLook(firstLook+10*uint64(i)+k, wall.Colour)})
		}
		out = append(out, b)
	}
	return place(out)
}

// place seeds the visits, and moves people about: nobody sits in the middle.
func place(booths []booth) []booth {
	for i := range booths {
		b := &booths[i]
		for k := range b.visits {
			v := &b.visits[k]
			v.seed = 1000*b.seed + uint64(k)
			if v.cam != (mattetest.Camera{}) {
				continue
			}
			v.cam = b.cam
			v.cam.Face *= [...]float64{1, .92, 1.05, .85, 1, .96}[k%6]
			v.cam.OffsetX = [...]float64{0, .12, -.15, .2, -.05, .1}[k%6]
			v.cam.Exposure *= [...]float64{1, -1, .5, -.5, 1, -1}[k%6]
		}
	}
	return booths
}

// plainBooths are scenes without what web cameras do, most of them the ones the
// method was first developed on.
func plainBooths(t testing.TB) []booth {
	usual := mattetest.Usual
	dim := usual
	dim.Exposure, dim.Tint, dim.Noise = -.03, -.006, 3
	one, oneDim := usual, dim
	one.Plates, oneDim.Plates = 1, 1
	student := person(t, "student")
	white := student.Shirt("whiteshirt", color.RGBA{236, 235, 232, 255})
	grey := student.Shirt("greyshirt", color.RGBA{142, 143, 146, 255})
	strands := student.Strands(160, 1)
	core := func(wall mattetest.Backdrop, cam mattetest.Camera, seed uint64, more ...*mattetest.Person) booth {
		b := booth{set: setPlain, wall: wall, cam: cam, seed: seed}
		for _, name := range []string{"student", "astronaut", "glasses", "whitehair"} {
			b.visits = append(b.visits, visit{who: person(t, name), cam: cam})
		}
		for _, p := range more {
			b.visits = append(b.visits, visit{who: p, cam: cam})
		}
		return b
	}
	single := func(wall mattetest.Backdrop, cam mattetest.Camera, seed uint64, p *mattetest.Person) booth {
		return booth{set: setPlain, wall: wall, cam: cam, seed: seed, visits: []visit{{who: p, cam: cam, note: "1-frame plate"}}}
	}
	out := []booth{
		core(mattetest.White, usual, 1, white, strands),
		core(mattetest.Blue, dim, 2, strands),
		core(mattetest.Grey, usual, 3, grey),
		core(mattetest.Green, dim, 4),
		{set: setPlain, wall: mattetest.Cloth, cam: usual, seed: 5, visits: []visit{{who: student, cam: usual}}},
		single(mattetest.White, one, 6, student),
		single(mattetest.Cloth, one, 7, white),
		single(mattetest.Green, oneDim, 8, strands),
		single(mattetest.Grey, one, 9, grey),
	}
	for i, wall := range []mattetest.Backdrop{mattetest.White, mattetest.Grey, mattetest.Blue} {
		b := booth{set: setShadow, wall: wall, cam: usual, seed: uint64(10 + i)}
		for _, depth := range []float64{.10, .20, .30} {
			cam := usual
			cam.Shadow = depth
			note := fmt.Sprintf("shadow %.0f%%", 100*depth)
			b.visits = append(b.visits, visit{who: student, cam: cam, note: note})
			if i == 0 {
				b.visits = append(b.visits, visit{who: white, cam: cam, note: note})
			}
		}
		out = append(out, b)
	}
	return place(out)
}

// bareBooths have no plate.
func bareBooths(t testing.TB) []booth {
	usual := mattetest.Usual
	usual.Plates = 1
	student := person(t, "student")
	var out []booth
	for i, wall := range []mattetest.Backdrop{mattetest.White, mattetest.Blue, mattetest.Grey, mattetest.Green} {
		out = append(out, booth{set: setBare, wall: wall, cam: usual, seed: uint64(20 + i), visits: []visit{{who: student, cam: usual, bare: true}}})
	}
	for i, wall := range []mattetest.Backdrop{mattetest.Office, mattetest.Shelf} {
		b := booth{set: setBare, wall: wall, cam: usual, seed: uint64(30 + i)}
		for _, who := range []string{"student", "glasses", "whitehair"} {
			b.visits = append(b.visits, visit{who: person(t, who), cam: usual, bare: true})
		}
		out = append(out, b)
	}
	return place(out)
}

// person is who comes.
func (v *visit) person() *mattetest.Person {
	if v.who != nil {
		return v.who
	}
	return v.look.Draw()
}

// name says who stands before what, and what is unusual about it.
func (b *booth) name(v *visit) string {
	who := v.look.Name
	if v.who != nil {
		who = v.who.Name
	}
	s := b.set + "/" + b.wall.Name + "/" + who
	if v.note != "" {
		s += " (" + v.note + ")"
	}
	return s
}

// What a scene should reach, and the confidence below which the check cutout
// warns.
const (
	wantedWorst = 2.
	warnBelow   = .5
)

type result struct {
	mattetest.Score
	set, name  string
	real       bool                  // the person is cut out of a photograph, not drawn
	over       [len(targets)]float64 // colour error over each target
	confidence float64
	contrast   float64

	truth    *mattetest.Truth
	portrait *matte.Portrait
}

// TestMatteTable measures the matte on every scene, without and with a rival:
// `make bench-matte`.
func TestMatteTable(t *testing.T) {
	if !*table {
		t.Skip("pass -matte-table to print the table")
	}
	match, err := regexp.Compile(*only)
	if err != nil {
		t.Fatal(err)
	}
	var list []booth
	for _, b := range tableBooths(t) {
		b.visits = slices.DeleteFunc(b.visits, func(v visit) bool { return !match.MatchString(b.name(&v)) })
		if len(b.visits) > 0 {
			list = append(list, b)
		}
	}
	// Scenes take seconds to make: two at a time. Nothing is timed here.
	nets := infer.New()
	defer nets.Close()
	var wg sync.WaitGroup
	jobs := make(chan int)
	found := make([][]result, len(list))
	for range 2 {
		wg.Go(func() {
			m := matte.New()
			if *ask {
				m.People = nets
			}
			for i := range jobs {
				found[i] = measureBooth(t, m, &list[i])
			}
		})
	}
	for i := range list {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
	if t.Failed() {
		return
	}
	results := slices.Concat(found...)
	fmt.Printf("%-50s | %6s %6s | %6s %6s %6s %6s %6s | %5s %6s\n", "scene", "MSE", "band",
		"colour", "white", "blue", "red", "grey", "conf", "contr")
	for _, r := range results {
		r.print()
	}
	for _, set := range []string{setDev, setHeldOut, setFresh, setBlind, setPlain, setShadow, setBare} {
		printSet(set, results)
	}
	printWarnings(results)
	compare(t, list, nets)
	slices.SortStableFunc(results, func(a, b result) int { return cmp.Compare(b.MSE, a.MSE) })
	bad := slices.DeleteFunc(slices.Clone(results), func(r result) bool { return !slices.Contains([]string{setDev, setHeldOut, setFresh, setBlind}, r.set) })
	fmt.Println("\nten worst of dev, held-out, fresh and blind:")
	for i, r := range bad[:min(10, len(bad))] {
		fmt.Printf("%2d. %-50s MSE %.2f, colour %.1f, confidence %.2f  %s\n", i+1, r.name, r.MSE, r.Colour, r.confidence, mattetest.FileName(r.name)+"-*.png")
	}
	if *dump == "" {
		return
	}
	if err := os.MkdirAll(*dump, 0o755); err != nil {
		t.Fatal(err)
	}
	if *only == "" {
		results = bad[:min(10, len(bad))]
	}
	for _, r := range results {
		mattetest.Save(t, *dump, r.name, r.truth, r.portrait)
	}
}

func (r *result) print() {
	fmt.Printf("%-50s | %6.2f %6.1f | %6.1f %6.1f %6.1f %6.1f %6.1f | %5.2f %6.1f\n", r.name, r.MSE, r.Band,
		r.Colour, r.over[0], r.over[1], r.over[2], r.over[3], r.confidence, r.contrast)
}

// printSet prints mean, median and worst of a set.
func printSet(set string, results []result) {
	var mse, band, colour, people []float64
	var over [len(targets)][]float64
	good, warned, missed := 0, 0, 0
	for _, r := range results {
		if r.set != set {
			continue
		}
		mse, band, colour = append(mse, r.MSE), append(band, r.Band), append(colour, r.Colour)
		for i, v := range r.over {
			over[i] = append(over[i], v)
		}
		if r.real {
			people = append(people, r.MSE)
		}
		switch {
		case r.MSE <= wantedWorst:
			good++
			if r.confidence < warnBelow {
				warned++
			}
		case r.confidence >= warnBelow:
			missed++
		}
	}
	if len(mse) == 0 {
		return
	}
	fmt.Printf("\n%s, %d scenes: MSE mean %.2f median %.2f worst %.2f; band %.1f / %.1f; colour %.1f / %.1f (white %.1f, blue %.1f, red %.1f, grey %.1f); %d above %.1f, %d of them without a warning; %d of the other %d warned of\n",
		set, len(mse), mean(mse), middle(mse), slices.Max(mse), mean(band), slices.Max(band), mean(colour), slices.Max(colour),
		mean(over[0]), mean(over[1]), mean(over[2]), mean(over[3]), len(mse)-good, wantedWorst, missed, warned, good)
	if len(people) > 0 && len(people) < len(mse) {
		fmt.Printf("  of them real people, %d: MSE mean %.2f worst %.2f\n", len(people), mean(people), slices.Max(people))
	}
}

// printWarnings prints, over all scenes with a plate, how many cut-outs of each
// quality the check cutout warns of.
func printWarnings(results []result) {
	from := [...]float64{0, 1, wantedWorst, 5}
	var all, warned [len(from)]int
	for _, r := range results {
		if r.set == setBare {
			continue
		}
		k := len(from) - 1
		for k > 0 && r.MSE <= from[k] {
			k--
		}
		all[k]++
		if r.confidence < warnBelow {
			warned[k]++
		}
	}
	fmt.Println("\nwarnings, of all scenes with a plate:")
	for k, n := range all {
		to := "more"
		if k+1 < len(from) {
			to = fmt.Sprintf("%.0f", from[k+1])
		}
		fmt.Printf("  MSE %.0f to %s: %d of %d warned of\n", from[k], to, warned[k], n)
	}
}

func mean(v []float64) float64 {
	var s float64
	for _, x := range v {
		s += x
	}
	return s / float64(len(v))
}

func middle(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func measureBooth(t *testing.T, m *matte.Matter, b *booth) []result {
	made := mattetest.NewBooth(b.wall, b.cam, b.seed)
	plate, err := matte.NewPlate(made.Plates)
	if err != nil {
		t.Error(err)
		return nil
	}
	made.Plates = nil // megabytes
	var out []result
	for i := range b.visits {
		out = append(out, measure(t, m, plate, made, b, &b.visits[i]))
	}
	return out
}

func measure(t *testing.T, m *matte.Matter, plate *matte.Plate, made *mattetest.Booth, b *booth, v *visit) result {
	s := made.Photograph(v.person(), v.cam, v.seed)
	if v.bare {
		plate = nil
	}
	r := result{set: b.set, name: b.name(v), real: v.who != nil}
	seg, err := m.Segment(s.Frame, plate, s.Face, s.Region)
	if err != nil {
		t.Error(err)
		return r
	}
	if r.portrait, err = m.Render(seg, s.Crop, 480, 640, lightBlue, false); err != nil {
		t.Error(err)
		return r
	}
	r.confidence, r.contrast = r.portrait.Confidence, seg.Contrast
	r.truth = s.Truth(480, 640)
	r.Score = r.truth.Score(r.portrait.Alpha, r.portrait.RGBA, lightBlue)
	for i, bg := range targets {
		r.over[i] = r.truth.Over(r.portrait, lightBlue, bg)
	}
	return r
}
