package budget

// The limits of one request. Each is far above what the largest object that the API server stores (1.5 MiB) needs, and low
// enough that the costliest request takes less than a second and some tens of megabytes.
const (
	// maxUnits is how many units of work one request may cost. A unit is one byte that one reader looks at. A word, a command or
	// the like costs more than a byte, and is charged as so many units.
	maxUnits = 160 << 20
	// maxWords is how many words the scripts of one request may hold. The parser allocates some 200 bytes for each.
	maxWords = 1 << 16
	// maxNodes is how many values the YAML texts of one request may hold, plus one for each nodeSize bytes of what is sent.
	maxNodes, nodeSize = 1 << 15, 16
	// maxTextReferences and maxReferences are how many references that must be looked at one text and one object may make.
	// References that the estate does not know are not counted.
	maxTextReferences = 1 << 13
	maxReferences     = 1 << 14
	// maxGrowth is how many bytes the variables of one request may add when they are expanded.
	maxGrowth = 1 << 20
	// maxParts is how many objects in lists may be decoded into Kubernetes' own types, plus one for each partSize bytes of what
	// is sent. A container counts for eight, since it takes at least three bytes in JSON and a kilobyte decoded.
	maxParts, partSize = 512, 50
)

// Limit names what a request has too much of, as a phrase. It is empty if nothing is exceeded.
type Limit string

// The limits, as messages name them.
const (
	Work       Limit = "more text than can be read in time"
	Words      Limit = "scripts of more words than can be read"
	Nodes      Limit = "texts in YAML with more values than can be read"
	References Limit = "more references than can be looked up"
	Growth     Limit = "variables that repeat each other until nobody can tell what they say"
	Parts      Limit = "more parts of lists than an object of its length has"
	Depth      Limit = "parts that lie within each other until nobody can tell what they say"
)

// Budget is what one request may still spend. It is not safe for concurrent use.
type Budget struct {
	units, words, nodes, references, growth, parts, size int

	exceeded Limit
	// beside holds the budgets of other objects that are read for the same request.
	beside []*Budget
}

// New returns the budget of one request.
func New() *Budget { return &Budget{} }

// Spend charges units of work. It returns false once none are left: the reader then stops.
func (b *Budget) Spend(units int) bool {
	b.units += units
	return b.within(b.units <= maxUnits, Work)
}

// Word charges n words of a script, before the script is parsed.
func (b *Budget) Word(n int) bool {
	b.words += n
	return b.within(b.words <= maxWords, Words)
}

// Node charges n values of a YAML text, before it is parsed.
func (b *Budget) Node(n int) bool {
	b.nodes += n
	return b.within(b.nodes <= maxNodes+b.size/nodeSize, Nodes)
}

// Sent notes n more bytes that were sent and may hold parts of lists.
func (b *Budget) Sent(n int) { b.size += n }

// Part charges n parts, before they are decoded: objects in lists that are decoded into Kubernetes' own types.
func (b *Budget) Part(n int) bool {
	b.parts += n
	return b.within(b.parts <= maxParts+b.size/partSize, Parts)
}

// PartsLeft returns how many parts may still be charged.
func (b *Budget) PartsLeft() int { return maxParts + b.size/partSize - b.parts }

// Grow charges n bytes that the expansion of a variable adds.
func (b *Budget) Grow(n int) bool {
	b.growth += n
	return b.within(b.growth <= maxGrowth, Growth)
}

// Keep charges a reference. of is how many references its text has made, this one included.
func (b *Budget) Keep(of int) bool {
	b.references++
	return b.within(of <= maxTextReferences && b.references <= maxReferences, References)
}

// TooDeep notes that parts are nested more deeply than is read.
func (b *Budget) TooDeep() { b.within(false, Depth) }

// Exceeded returns the first limit that was exceeded. It is empty if there is none, and everything was read.
func (b *Budget) Exceeded() Limit { return b.exceeded }

// Beside returns a separate budget for another object that is read for the same request.
func (b *Budget) Beside() *Budget {
	other := New()
	b.beside = append(b.beside, other)
	return other
}

// Units returns how many units of work were spent, including those of the budgets beside this one.
func (b *Budget) Units() int {
	units := b.units
	for _, other := range b.beside {
		units += other.Units()
	}
	return units
}

func (b *Budget) within(ok bool, l Limit) bool {
	if !ok && b.exceeded == "" {
		b.exceeded = l
	}
	return b.exceeded == ""
}
