package screen

import "fyne.io/fyne/v2"

// designSpan is the shorter side of the window in design units.
const designSpan = 800

// rect is an area in design units, with the window's top left corner as origin.
type rect struct{ x, y, w, h float32 }

func (r rect) inset(d float32) rect { return rect{r.x + d, r.y + d, r.w - 2*d, r.h - 2*d} }

func (r rect) insetXY(dx, dy float32) rect {
	return rect{r.x + dx, r.y + dy, r.w - 2*dx, r.h - 2*dy}
}

// cutTop splits off the upper h units; gap units between the parts are dropped.
func (r rect) cutTop(h, gap float32) (piece, rest rect) {
	return rect{r.x, r.y, r.w, h}, rect{r.x, r.y + h + gap, r.w, r.h - h - gap}
}

func (r rect) cutBottom(h, gap float32) (piece, rest rect) {
	return rect{r.x, r.y + r.h - h, r.w, h}, rect{r.x, r.y, r.w, r.h - h - gap}
}

func (r rect) cutLeft(w, gap float32) (piece, rest rect) {
	return rect{r.x, r.y, w, r.h}, rect{r.x + w + gap, r.y, r.w - w - gap, r.h}
}

func (r rect) cutRight(w, gap float32) (piece, rest rect) {
	return rect{r.x + r.w - w, r.y, w, r.h}, rect{r.x, r.y, r.w - w - gap, r.h}
}

// grid divides r into cols × rows equal cells, row by row.
func (r rect) grid(cols, rows int, gap float32) []rect {
	w := (r.w - gap*float32(cols-1)) / float32(cols)
	h := (r.h - gap*float32(rows-1)) / float32(rows)
	cells := make([]rect, 0, cols*rows)
	for y := range rows {
		for x := range cols {
			cells = append(cells, rect{r.x + float32(x)*(w+gap), r.y + float32(y)*(h+gap), w, h})
		}
	}
	return cells
}

// centred is a w × h area in the middle of r.
func (r rect) centred(w, h float32) rect {
	return rect{r.x + (r.w-w)/2, r.y + (r.h-h)/2, w, h}
}

// fitted is the largest centred area in r with the given width ÷ height.
func (r rect) fitted(aspect float32) rect {
	w, h := r.w, r.w/aspect
	if h > r.h {
		w, h = r.h*aspect, r.h
	}
	return r.centred(w, h)
}

// place puts o at r, k toolkit units to one design unit.
func place(o fyne.CanvasObject, r rect, k float32) {
	o.Move(fyne.NewPos(r.x*k, r.y*k))
	o.Resize(fyne.NewSize(max(r.w, 0)*k, max(r.h, 0)*k))
}

// setVisible shows or hides o, touching it only when that changes something.
func setVisible(o fyne.CanvasObject, visible bool) {
	if o.Visible() == visible {
		return
	}
	if visible {
		o.Show()
	} else {
		o.Hide()
	}
}

// fill is a layout that stretches every child over the whole container; the
// window's content is measured in design units, so it has no minimum of its own.
type fill struct{ resized func(fyne.Size) }

func (f fill) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		o.Move(fyne.NewPos(0, 0))
		o.Resize(size)
	}
	if f.resized != nil {
		f.resized(size)
	}
}

func (fill) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(1, 1) }
