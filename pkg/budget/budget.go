package budget

// The limits of one request. Each is far above what a real object of the largest size needs that the API server stores
// (1.5 MiB), and low enough that the costliest request is answered within a second and some tens of megabytes.
const (
	// maxUnits is how many units of work one request may cost. A unit is one byte that one reader looks at; what costs
	// more than a byte, such as a word or a command, is charged as so many.
	maxUnits = 160 << 20
	// maxWords is how many words the scripts of one request may hold. The parser makes some 200 bytes of each.
	maxWords = 1 << 16
	// maxNodes is how many values the texts in YAML of one request may hold, beside one for each nodeSize bytes of what is sent.
	maxNodes, nodeSize = 1 << 15, 16
	// maxTextReferences and maxReferences are how many references one text and one object may make that somebody must look
	// at. What the estate does not know is not counted.
	maxTextReferences = 1 << 13
	maxReferences     = 1 << 14
	// maxGrowth is how many bytes the variables of one request may grow to when they are put in.
	maxGrowth = 1 << 20
	// maxParts is how many objects in lists may be decoded into Kubernetes' own types, beside one for each partSize bytes of what
	// is sent. A container, which takes three bytes in JSON at least and a kilobyte decoded, counts for eight.
	maxParts, partSize = 512, 50
)

// Limit names what a request has too much of, as a phrase. Empty: nothing.
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

// Budget is what is left for one request. It is not safe for concurrent use.
type Budget struct {
	units, words, nodes, references, growth, parts, size int

	exceeded Limit
	// beside are the budgets of what is read for the same request.
	beside []*Budget
}

// New returns the budget of one request.
func New() *Budget { return &Budget{} }

// Spend charges units of work. It reports false once there are none left: the reader then stops.
func (b *Budget) Spend(units int) bool {
	b.units += units
	return b.within(b.units <= maxUnits, Work)
}

// Word charges n words of a script, before the script is parsed.
func (b *Budget) Word(n int) bool {
	b.words += n
	return b.within(b.words <= maxWords, Words)
}

// Node charges n values of a text in YAML, before it is parsed.
func (b *Budget) Node(n int) bool {
	b.nodes += n
	return b.within(b.nodes <= maxNodes+b.size/nodeSize, Nodes)
}

// Sent says that n bytes more have been sent, which may hold parts of lists.
func (b *Budget) Sent(n int) { b.size += n }

// Part charges n parts: objects in lists that are decoded into Kubernetes' own types, before they are.
func (b *Budget) Part(n int) bool {
	b.parts += n
	return b.within(b.parts <= maxParts+b.size/partSize, Parts)
}

// Grow charges n bytes that a variable adds where it is put in.
func (b *Budget) Grow(n int) bool {
	b.growth += n
	return b.within(b.growth <= maxGrowth, Growth)
}

// Keep charges a reference. of says how many the text that it stands in has made, this one included.
func (b *Budget) Keep(of int) bool {
	b.references++
	return b.within(of <= maxTextReferences && b.references <= maxReferences, References)
}

// TooDeep says that parts lie deeper within each other than is read.
func (b *Budget) TooDeep() { b.within(false, Depth) }

// Exceeded names the first limit that was exceeded; empty: none, and everything was read.
func (b *Budget) Exceeded() Limit { return b.exceeded }

// Beside returns a budget of its own for something else that is read for the same request.
func (b *Budget) Beside() *Budget {
	other := New()
	b.beside = append(b.beside, other)
	return other
}

// Units returns how many units of work were spent, of the budgets beside this one too.
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
