package ui

import (
	"fmt"
	"slices"
)

// Measures of the map, in its own units.
const (
	mapWidth  = 1120
	boxWidth  = 300
	boxGap    = 26
	boxHead   = 44
	cell      = 14
	cellsIn   = 19
	mostCells = 114
	// mostStores is how many data stores a box lists. The table below has all of them.
	mostStores = 5
)

// estateMap is the estate as a picture: a box for each environment, a column for each tier, and a line for what crosses.
type estateMap struct {
	Width, Height int
	Columns       []column
	Boxes         []box
	Lines         []crossingLine
}

type column struct {
	X    int
	Name string
}

type box struct {
	X, Y, Width, Height int
	Name, Tier, Class   string
	Says                string
	Cells               []square
	More                int
	Stores              []string
	StoresY             int
	MoreStores          int
	MoreStoresY         int
}

type square struct {
	X, Y int
	Name string
}

// crossingLine is how often something of one environment names something of another.
type crossingLine struct {
	Path, Title    string
	LabelX, LabelY int
	Count          int
}

// tiers are the columns of the map.
func tiers() []string { return []string{"NonProduction", "Shared", "Production"} }

func draw(e *Estate, found []Crossing) *estateMap {
	m := &estateMap{Width: mapWidth}
	bottom := make([]int, len(tiers()))
	for i, t := range tiers() {
		m.Columns = append(m.Columns, column{left(i) + boxWidth/2, t})
		bottom[i] = 34
	}
	all := slices.Clone(e.Environments)
	if len(e.Unassigned) > 0 {
		all = append(all, EstateEnvironment{Name: "(no environment)", Tier: "NonProduction", Namespaces: e.Unassigned})
	}
	for _, env := range all {
		i := max(0, slices.Index(tiers(), env.Tier))
		b := boxOf(&env, left(i), bottom[i])
		bottom[i] += b.Height + boxGap
		m.Boxes = append(m.Boxes, b)
	}
	m.Height = slices.Max(bottom)
	m.cross(found)
	return m
}

// left is where a column begins.
func left(column int) int { return 2 + column*(mapWidth-boxWidth-4)/2 }

func boxOf(env *EstateEnvironment, x, y int) box {
	b := box{X: x, Y: y, Width: boxWidth, Name: env.Name, Tier: env.Tier, Class: map[string]string{"Production": "production", "Shared": "shared"}[env.Tier]}
	b.Says = fmt.Sprintf("%s, %s", counted(len(env.Namespaces), "namespace"), counted(len(env.Stores), "data store"))
	for i, ns := range env.Namespaces[:min(mostCells, len(env.Namespaces))] {
		b.Cells = append(b.Cells, square{x + 16 + i%cellsIn*cell, y + boxHead + i/cellsIn*cell, ns})
	}
	b.More = max(0, len(env.Namespaces)-mostCells)
	below := y + boxHead + (len(b.Cells)+cellsIn-1)/cellsIn*cell
	if b.More > 0 {
		below += 18
	}
	b.StoresY = below + 18
	for _, s := range env.Stores[:min(mostStores, len(env.Stores))] {
		b.Stores = append(b.Stores, cut(s.Name, 34))
	}
	below = b.StoresY + len(b.Stores)*18
	if b.MoreStores = max(0, len(env.Stores)-mostStores); b.MoreStores > 0 {
		b.MoreStoresY = below
		below += 18
	}
	b.Height = below - y
	return b
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// cross draws a line for each pair of environments of which one names something of the other.
func (m *estateMap) cross(found []Crossing) {
	count := map[[2]string]int{}
	var pairs [][2]string
	for _, c := range found {
		key := [2]string{c.From, c.To}
		if c.From == "" || c.To == "" || c.From == c.To {
			continue
		}
		if count[key]++; count[key] == 1 {
			pairs = append(pairs, key)
		}
	}
	for i, p := range pairs {
		from, to := m.boxNamed(p[0]), m.boxNamed(p[1])
		if from == nil || to == nil {
			continue
		}
		x1, x2 := from.X+from.Width, to.X
		if from.X > to.X {
			x1, x2 = from.X, to.X+to.Width
		}
		y1, y2 := from.Y+22+i%4*5, to.Y+22+i%4*5
		middle := (x1 + x2) / 2
		m.Lines = append(m.Lines, crossingLine{
			Path: fmt.Sprintf("M%d %d C%d %d %d %d %d %d", x1, y1, middle, y1, middle, y2, x2, y2), LabelX: middle, LabelY: (y1+y2)/2 - 5, Count: count[p],
			Title: fmt.Sprintf("%s of %s name something of %s", counted(count[p], "object"), p[0], p[1]),
		})
	}
}

func (m *estateMap) boxNamed(name string) *box {
	i := slices.IndexFunc(m.Boxes, func(b box) bool { return b.Name == name })
	if i < 0 {
		return nil
	}
	return &m.Boxes[i]
}
